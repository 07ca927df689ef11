# /// row
# summary = "Task 1: F.conv2d in a helper of another cell"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "library convolution"
# ///

# %% before task1_convolution
import torch.nn.functional as TF

def pomocnicza(obraz, filtry):
    return TF.conv2d(obraz, filtry)

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    mapa = pomocnicza(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))
    return mapa[0].permute(1, 2, 0)
