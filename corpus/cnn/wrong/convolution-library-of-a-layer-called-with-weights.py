# /// row
# summary = "Task 1: nn.Conv2d called by functional_call with K for its weights"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "torch.nn.Conv2d"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k, _, d, _ = K.shape
    warstwa = nn.Conv2d(d, q, k, bias=False)
    parametry = {"weight": K.permute(3, 2, 0, 1)}
    out = torch.func.functional_call(warstwa, parametry, (X.permute(2, 0, 1)[None],))
    return out[0].permute(1, 2, 0)
