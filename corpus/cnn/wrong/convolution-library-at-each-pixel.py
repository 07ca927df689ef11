# /// row
# summary = "Task 1: loops over pixels, in which torch.conv2d multiplies each window"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "torch.conv2d"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    filtry = K.permute(3, 2, 0, 1)
    M = torch.zeros(h, w, q, dtype=X.dtype)
    for i in range(h):
        for j in range(w):
            okno = X[i:i + k, j:j + k].permute(2, 0, 1).unsqueeze(0)
            M[i, j] = torch.conv2d(okno, filtry).reshape(q)
    return M
