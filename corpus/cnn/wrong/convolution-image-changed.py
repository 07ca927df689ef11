# /// row
# summary = "Task 1: each window is multiplied in place, so that X changes"
# [loses.task1_convolution_tests]
# "The task's three cases" = "values are wrong"
# "Random reals, float64 too" = "values are wrong"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "values are wrong"
# "The inputs are left unchanged" = "changes X or K"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    M = np.zeros((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            for f in range(q):
                okno = X[i:i + k, j:j + k]
                okno *= K[..., f]
                M[i, j, f] = okno.sum()
    return M
