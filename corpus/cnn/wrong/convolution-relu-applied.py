# /// row
# summary = "Task 1: ReLU follows at once"
# [loses.task1_convolution_tests]
# "The task's three cases" = "an activation is no part"
# "Random reals, float64 too" = "an activation is no part"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "an activation is no part"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for a in range(k):
        for b in range(k):
            M = M + X[a:a + h, b:b + w] @ K[a, b]
    return np.maximum(M, 0)
