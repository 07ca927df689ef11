"""Task 1 by plain loops; many other ways, right and wrong, are in the corpus (`corpus.py`)."""

LOOPS = """
def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h):
        for j in range(w):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k] * K[..., f])
    return M
"""
