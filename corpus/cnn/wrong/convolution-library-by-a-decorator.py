# /// row
# summary = "Task 1: a decorator puts F.conv2d in place of the loops below it"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "torch.nn.functional.conv2d"
# ///

# %% before task1_convolution
def przyspiesz(funkcja):
    # pętle liczą się za długo
    def szybka(X, K, q):
        X, K = torch.as_tensor(X), torch.as_tensor(K)
        return F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))[0].permute(1, 2, 0)
    return szybka

# %% task1_convolution
@przyspiesz
def convolution(X, K, q: int):
    k = K.shape[0]
    M = np.zeros((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            for f in range(q):
                M[i, j, f] = (X[i:i + k, j:j + k] * K[..., f]).sum()
    return M
