# /// row
# summary = "Task 1: F.conv2d by a name put together"
# [loses.task1_convolution_tests]
# "An implementation of one's own" = "library convolution"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    funkcja = getattr(F, "co" + "nv" + str(2) + "d")
    wynik = funkcja(torch.as_tensor(X).permute(2, 0, 1)[None], torch.as_tensor(K).permute(3, 2, 0, 1))
    return wynik[0].permute(1, 2, 0)
