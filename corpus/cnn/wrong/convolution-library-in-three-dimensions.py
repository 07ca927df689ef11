# /// row
# summary = "Task 1: F.conv3d does the work"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "library convolution"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    obraz = X.permute(2, 0, 1)[None, None]          # (1, 1, d, h, w)
    filtry = K.permute(3, 2, 0, 1).unsqueeze(1)     # (q, 1, d, k, k)
    return torch.nn.functional.conv3d(obraz, filtry)[0, :, 0].permute(1, 2, 0)
