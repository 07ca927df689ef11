# /// row
# summary = "Task 1: padded with zeros, so that the map is as large as the image"
# [loses.task1_convolution_tests]
# "The task's three cases" = "input's size"
# "Random reals, float64 too" = "input's size"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "input's size"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    p = k // 2
    Xp = np.pad(X, ((p, k - 1 - p), (p, k - 1 - p), (0, 0)))
    M = np.zeros((X.shape[0], X.shape[1], q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            for f in range(q):
                M[i, j, f] = (Xp[i:i + k, j:j + k] * K[:, :, :, f]).sum()
    return M
