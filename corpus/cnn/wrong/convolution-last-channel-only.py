# /// row
# summary = "Task 1: each channel overwrites the one before"
# [loses.task1_convolution_tests]
# "The task's three cases" = "last channel is left"
# "Random reals, float64 too" = "last channel is left"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "last channel is left"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k, d = K.shape[0], X.shape[2]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for f in range(q):
        for c in range(d):
            for i in range(h):
                for j in range(w):
                    M[i, j, f] = (X[i:i + k, j:j + k, c] * K[:, :, c, f]).sum()
    return M
