# /// row
# summary = "Bonus: the product is returned as a matrix of windows and filters"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "has shape (48, 4)"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))
    return np.einsum("ijcab,abcf->ijf", okna, K)

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k, _, d, _ = K.shape
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))
    A = np.moveaxis(okna, 2, -1).reshape(-1, k * k * d)
    W = K.reshape(k * k * d, q)
    return A @ W
