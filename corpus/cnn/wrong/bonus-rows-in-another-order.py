# /// row
# summary = "Bonus: the windows' axes are in another order than the kernel's"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "axes in different orders"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    M = np.zeros((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            M[i, j] = np.tensordot(X[i:i + k, j:j + k], K, axes=3)
    return M

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))
    h, w = okna.shape[:2]
    return (okna.reshape(h * w, -1) @ K.reshape(-1, q)).reshape(h, w, q)
