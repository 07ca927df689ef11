# /// row
# summary = "Task 1: strides and einsum"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q):
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(X), K.shape[:2], axis=(0, 1))
    return np.einsum("ijdab,abdq->ijq", windows, np.asarray(K))
