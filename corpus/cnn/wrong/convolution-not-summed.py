# /// row
# summary = "Task 1: the channels are not summed"
# [loses.task1_convolution_tests]
# "The task's three cases" = "not summed"
# "Random reals, float64 too" = "not summed"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "not summed"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q):
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(X), K.shape[:2], axis=(0, 1))
    return np.einsum("ijdab,abdq->ijdq", windows, np.asarray(K))
