# /// row
# summary = "Task 1: windows centred at k // 2, which an even kernel has not"
# [loses.task1_convolution_tests]
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "ValueError"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    r = K.shape[0] // 2
    h, w, _ = X.shape
    M = np.zeros((h - 2 * r, w - 2 * r, q))
    for i in range(r, h - r):
        for j in range(r, w - r):
            okno = X[i - r:i + r + 1, j - r:j + r + 1]
            for f in range(q):
                M[i - r, j - r, f] = np.sum(okno * K[..., f])
    return M
