# /// row
# summary = "Task 1: no position is left for a kernel as large as the image"
# [loses.task1_convolution_tests]
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "size is off by one"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    if h <= 1 or w <= 1:
        return np.zeros((0, 0, q))  # filtr sie nie miesci
    M = np.zeros((h, w, q))
    for a in range(k):
        for b in range(k):
            M += X[a:a + h, b:b + w] @ K[a, b]
    return M
