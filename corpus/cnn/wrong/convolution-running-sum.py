# /// row
# summary = "Task 1: the sum is not reset for the next filter"
# [loses.task1_convolution_tests]
# "The task's three cases" = "sums of the filters before it"
# "Random reals, float64 too" = "sums of the filters before it"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "sums of the filters before it"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h):
        for j in range(w):
            suma = 0
            for f in range(q):
                suma += (X[i:i + k, j:j + k] * K[..., f]).sum()
                M[i, j, f] = suma
    return M
