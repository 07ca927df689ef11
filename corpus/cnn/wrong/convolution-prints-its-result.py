# /// row
# summary = "Task 1: prints the map and returns nothing"
# [loses.task1_convolution_tests]
# "The task's three cases" = "NoneType"
# "Random reals, float64 too" = "NoneType"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "NoneType"
# "The inputs are left unchanged" = "counts only once"
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
                M[i, j, f] = np.sum(X[i:i + k, j:j + k] * K[..., f])
    print(M)
