# /// row
# summary = "Task 1: the windows' rows list channels first, the kernels' last"
# [loses.task1_convolution_tests]
# "The task's three cases" = "axes in different orders"
# "Random reals, float64 too" = "axes in different orders"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "axes in different orders"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    kolumny = np.array([X[i:i + k, j:j + k].transpose(2, 0, 1).ravel() for i in range(h) for j in range(w)])
    return (kolumny @ K.reshape(-1, q)).reshape(h, w, q)
