# /// row
# summary = "Task 1 with both bonus cells: index arrays; a larger array filled in"
# right = ["task1_convolution_tests", "task1_matrix_tests", "task1_same_tests"]
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
    (h, w, d), k = X.shape, K.shape[0]
    i = np.arange(h - k + 1)[:, None, None, None] + np.arange(k)[None, None, :, None]
    j = np.arange(w - k + 1)[None, :, None, None] + np.arange(k)[None, None, None, :]
    wiersze = X[i, j].reshape((h - k + 1) * (w - k + 1), k * k * d)
    return np.matmul(wiersze, K.reshape(k * k * d, q)).reshape(h - k + 1, w - k + 1, q)

# %% task1_same
def convolution_same(X, K, q: int):
    X = np.asarray(X)
    k = K.shape[0]
    p = (k - 1) // 2
    wiekszy = np.zeros((X.shape[0] + 2 * p, X.shape[1] + 2 * p, X.shape[2]), dtype=X.dtype)
    wiekszy[p:p + X.shape[0], p:p + X.shape[1]] = X
    return convolution(wiekszy, np.asarray(K), q)
