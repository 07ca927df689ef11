# /// row
# summary = "Bonus: K is reshaped to (q, -1) and transposed, which mixes its filters up"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "values are wrong"
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
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    okna = X.unfold(0, k, 1).unfold(1, k, 1)            # (h', w', d, k, k)
    h, w = okna.shape[:2]
    A = okna.permute(0, 1, 3, 4, 2).reshape(h * w, -1)
    W = K.reshape(q, -1).T
    return (A @ W).reshape(h, w, q)
