# /// row
# summary = "Task 1: the kernel is flipped upside down only"
# [loses.task1_convolution_tests]
# "Random reals, float64 too" = "upside down"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "upside down"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.flipud(np.asarray(K))
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h):
        for j in range(w):
            M[i, j] = np.tensordot(X[i:i + k, j:j + k, :], K, axes=3)
    return M
