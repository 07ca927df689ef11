# /// row
# summary = "Task 1: unfold and matmul"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    columns = F.unfold(X.permute(2, 0, 1)[None], k)[0]
    weights = K.permute(3, 2, 0, 1).reshape(q, -1)
    return (weights @ columns).reshape(q, X.shape[0] - k + 1, X.shape[1] - k + 1).permute(1, 2, 0)
