# /// row
# summary = "Task 1: the last row is missing"
# [loses.task1_convolution_tests]
# "The task's three cases" = "last row is missing"
# "Random reals, float64 too" = "last row is missing"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "last row is missing"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h - 1):
        for j in range(w):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k] * K[..., f])
    return M
