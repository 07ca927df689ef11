# /// row
# summary = "Task 1: the kernel is mirrored, left and right"
# [loses.task1_convolution_tests]
# "Random reals, float64 too" = "mirrored"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "mirrored"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    K = torch.flip(K, dims=[1])
    k = K.shape[0]
    M = torch.zeros(X.shape[0] - k + 1, X.shape[1] - k + 1, q, dtype=X.dtype)
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            M[i, j] = torch.einsum("abd,abdq->q", X[i:i + k, j:j + k], K)
    return M
