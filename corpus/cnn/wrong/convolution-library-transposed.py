# /// row
# summary = "Task 1: F.conv_transpose2d on the flipped kernel, its edges cut off"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "library convolution"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    filtry = K.flip(0, 1).permute(2, 3, 0, 1)
    pelna = F.conv_transpose2d(X.permute(2, 0, 1)[None], filtry)[0].permute(1, 2, 0)
    return pelna[k - 1:X.shape[0], k - 1:X.shape[1]]
