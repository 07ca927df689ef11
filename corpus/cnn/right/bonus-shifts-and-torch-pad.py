# /// row
# summary = "Task 1 with both bonus cells: a loop over the kernel's elements; F.pad of torch"
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
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    kolumny = torch.cat([X[a:a + h, b:b + w] for a in range(k) for b in range(k)], dim=-1)
    return kolumny @ K.reshape(-1, q)

# %% task1_same
def convolution_same(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    p = K.shape[0] // 2
    X = F.pad(X, (0, 0, p, p, p, p))
    return convolution(X, K, q)
