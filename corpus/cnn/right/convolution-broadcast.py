# /// row
# summary = "Task 1: one product of windows and kernels with six axes, summed over three"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    return (okna[..., None] * K).sum(axis=(2, 3, 4))
