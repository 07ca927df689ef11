# /// row
# summary = "Task 1: loops for small images, F.conv2d for those of more than 20 rows"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "torch.nn.functional.conv2d"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    if X.shape[0] > 20:  # dla większych pętla trwa zbyt długo
        return F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))[0].permute(1, 2, 0)
    M = torch.zeros(X.shape[0] - k + 1, X.shape[1] - k + 1, q, dtype=X.dtype)
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            M[i, j] = X[i:i + k, j:j + k].reshape(-1) @ K.reshape(-1, q)
    return M
