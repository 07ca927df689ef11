# /// row
# summary = "Bonus: the windows are listed column by column, the product is read row by row"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "values are wrong"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h):
        for j in range(w):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k, :] * K[:, :, :, f])
    return M

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))   # (h', w', d, k, k)
    h, w = okna.shape[:2]
    A = okna.transpose(1, 0, 3, 4, 2).reshape(w * h, -1)
    return (A @ K.reshape(-1, q)).reshape(h, w, q)
