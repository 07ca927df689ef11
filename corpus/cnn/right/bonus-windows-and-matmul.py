# /// row
# summary = "Task 1 with both bonus cells: sliding windows and a matrix product; np.pad"
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
    k = K.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))   # (h', w', d, k, k)
    h, w = okna.shape[:2]
    A = okna.transpose(0, 1, 3, 4, 2).reshape(h * w, -1)
    return (A @ K.reshape(-1, q)).reshape(h, w, q)

# %% task1_same
def convolution_same(X, K, q: int):
    p = K.shape[0] // 2
    return convolution(np.pad(np.asarray(X), ((p, p), (p, p), (0, 0))), K, q)
