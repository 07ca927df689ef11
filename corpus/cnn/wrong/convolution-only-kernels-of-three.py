# /// row
# summary = "Task 1: a window of 3 × 3, whatever the kernel"
# [loses.task1_convolution_tests]
# "The task's three cases" = "shape"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "ValueError"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, _ = X.shape
    M = np.zeros((h - 2, w - 2, q))
    for i in range(1, h - 1):
        for j in range(1, w - 1):
            for f in range(q):
                M[i - 1, j - 1, f] = np.sum(X[i - 1:i + 2, j - 1:j + 2] * K[..., f])
    return M
