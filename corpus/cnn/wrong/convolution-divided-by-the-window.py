# /// row
# summary = "Task 1: the mean over the window in place of the sum"
# [loses.task1_convolution_tests]
# "The task's three cases" = "divided by the number of pixels"
# "Random reals, float64 too" = "divided by the number of pixels"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "divided by the number of pixels"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    okna = np.lib.stride_tricks.sliding_window_view(np.asarray(X), K.shape[:2], axis=(0, 1))
    return np.einsum("ijcab,abcf->ijf", okna, np.asarray(K)) / (K.shape[0] * K.shape[1])
