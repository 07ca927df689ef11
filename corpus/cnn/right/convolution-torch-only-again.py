# /// row
# summary = "Task 1: torch only"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q):
    assert isinstance(X, torch.Tensor)
    k = K.size(0)
    M = torch.zeros(X.size(0) - k + 1, X.size(1) - k + 1, q, dtype=X.dtype)
    for i in range(M.size(0)):
        for j in range(M.size(1)):
            M[i, j] = torch.tensordot(X[i:i + k, j:j + k], K, dims=3)
    return M
