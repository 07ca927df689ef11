# /// row
# summary = "Task 1: np.mean in place of np.sum"
# [loses.task1_convolution_tests]
# "The task's three cases" = "mean over the window"
# "Random reals, float64 too" = "mean over the window"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "mean over the window"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    return np.stack([
        np.array([[np.mean(X[i:i + k, j:j + k] * K[..., f]) for j in range(X.shape[1] - k + 1)]
                  for i in range(X.shape[0] - k + 1)])
        for f in range(q)], axis=-1)
