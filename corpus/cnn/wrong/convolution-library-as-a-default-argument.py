# /// row
# summary = "Task 1: F.conv2d is the default of an argument"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "torch.nn.functional.conv2d"
# ///

# %% task1_convolution
def convolution(X, K, q: int, operacja=F.conv2d):
    # permutacje, bo torch chce (B, D, H, W) i (q, d, k, k)
    x = torch.as_tensor(X).permute(2, 0, 1).unsqueeze(0)
    w = torch.as_tensor(K).permute(3, 2, 0, 1)
    y = operacja(x, w, stride=1, padding=0)
    return y.squeeze(0).permute(1, 2, 0)
