# /// row
# summary = "Task 1: the width is taken to be the height"
# [loses.task1_convolution_tests]
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "shape"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    n, k = X.shape[0], K.shape[0]
    M = np.zeros((n - k + 1, n - k + 1, q))
    for i in range(n - k + 1):
        for j in range(n - k + 1):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k] * K[..., f])
    return M
