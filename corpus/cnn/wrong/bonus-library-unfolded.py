# /// row
# summary = "Bonus: the matrix version is F.conv2d"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "library convolution"
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
    return F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))[0].permute(1, 2, 0)
