# /// row
# summary = "Bonus: np.vectorize calls a function for each entry"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "grows with the image"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    suma = np.zeros((h, w, q))
    for a in range(k):
        for b in range(k):
            suma += X[a:a + h, b:b + w] @ K[a, b]
    return suma

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]

    def element(i, j, f):
        return float(np.sum(X[i:i + k, j:j + k] * K[..., f]))

    # bez pętli for
    i, j, f = np.indices((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    return np.vectorize(element)(i, j, f)
