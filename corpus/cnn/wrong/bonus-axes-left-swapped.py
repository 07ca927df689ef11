# /// row
# summary = "Bonus: axes permuted for F.pad are put back in another order, so that height and width swap"
# right = ["task1_convolution_tests"]
# [loses.task1_same_tests]
# "Output as large as the input" = "Height and width are swapped"
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

# %% task1_same
def convolution_same(X, K, q: int):
    p = (K.shape[0] - 1) // 2
    X = torch.as_tensor(X).permute(2, 1, 0)   # kanały na początek, bo F.pad liczy wymiary od końca
    X = F.pad(X, (p, p, p, p))
    return convolution(X.permute(1, 2, 0), K, q)
