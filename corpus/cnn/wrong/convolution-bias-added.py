# /// row
# summary = "Task 1: a bias of one is added"
# [loses.task1_convolution_tests]
# "The task's three cases" = "values are wrong"
# "Random reals, float64 too" = "values are wrong"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "values are wrong"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int, bias=1.0):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.full((h, w, q), bias)
    for i in range(h):
        for j in range(w):
            for f in range(q):
                M[i, j, f] += np.sum(X[i:i + k, j:j + k] * K[..., f])
    return M
