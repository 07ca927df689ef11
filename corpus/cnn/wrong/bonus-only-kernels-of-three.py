# /// row
# summary = "Bonus: the matrix is made for kernels of 3 × 3 only"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "ValueError"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    M = torch.zeros(X.shape[0] - k + 1, X.shape[1] - k + 1, q, dtype=X.dtype)
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            okno = X[i:i + k, j:j + k].unsqueeze(-1)
            M[i, j] = (okno * K).sum(dim=(0, 1, 2))
    return M

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, d = X.shape
    h, w = h - 2, w - 2
    # dziewięć przesunięć, po jednym na element filtra
    A = np.concatenate([
        X[0:h, 0:w], X[0:h, 1:w + 1], X[0:h, 2:w + 2],
        X[1:h + 1, 0:w], X[1:h + 1, 1:w + 1], X[1:h + 1, 2:w + 2],
        X[2:h + 2, 0:w], X[2:h + 2, 1:w + 1], X[2:h + 2, 2:w + 2],
    ], axis=2).reshape(h * w, 9 * d)
    return (A @ K.reshape(9 * d, q)).reshape(h, w, q)
