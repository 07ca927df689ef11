# /// row
# summary = "Task 1: the window moves by two pixels"
# [loses.task1_convolution_tests]
# "The task's three cases" = "size that the task asks for"
# "Random reals, float64 too" = "size that the task asks for"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "size that the task asks for"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    wiersze = range(0, X.shape[0] - k + 1, 2)
    kolumny = range(0, X.shape[1] - k + 1, 2)
    return np.array([[[np.sum(X[i:i + k, j:j + k] * K[..., f]) for f in range(q)] for j in kolumny] for i in wiersze])
