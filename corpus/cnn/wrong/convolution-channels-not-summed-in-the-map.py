# /// row
# summary = "Task 1: one map for each channel, the filters summed"
# [loses.task1_convolution_tests]
# "The task's three cases" = "as many entries as channels"
# "Random reals, float64 too" = "as many entries as channels"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "as many entries as channels"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    okna = np.lib.stride_tricks.sliding_window_view(np.asarray(X), K.shape[:2], axis=(0, 1))
    return np.einsum("ijdab,abdq->ijd", okna, np.asarray(K))
