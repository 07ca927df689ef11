# /// row
# summary = "Task 1: loops for arrays, F.conv2d for tensors"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "torch.nn.functional.conv2d"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    if isinstance(X, torch.Tensor):
        # wersja dla PyTorcha
        return F.conv2d(X.permute(2, 0, 1).unsqueeze(0), K.permute(3, 2, 0, 1)).squeeze(0).permute(1, 2, 0)
    # wersja dla NumPy
    k = K.shape[0]
    M = np.zeros((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k] * K[:, :, :, f])
    return M
