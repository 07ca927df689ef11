# /// row
# summary = "Task 1: windows of a few rows at a time, to save memory"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int, porcja=4):
    X, K = np.asarray(X), np.asarray(K)
    k, d = K.shape[0], X.shape[2]
    oh, ow = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.empty((oh, ow, q))
    for start in range(0, oh, porcja):
        stop = min(start + porcja, oh)
        okna = np.lib.stride_tricks.sliding_window_view(X[start:stop + k - 1], (k, k, d))[:, :, 0]
        M[start:stop] = np.tensordot(okna, K, axes=3)
    return M
