# /// row
# summary = "Task 1: the image is taken to be uint8"
# [loses.task1_convolution_tests]
# "Random reals, float64 too" = "values are wrong"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "values are wrong"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X).astype(np.uint8), np.asarray(K).astype(np.int8)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q), dtype=np.int64)
    for a in range(k):
        for b in range(k):
            M += X[a:a + h, b:b + w].astype(int) @ K[a, b].astype(int)
    return M
