# /// row
# summary = "Task 1: the absolute value of each entry"
# [loses.task1_convolution_tests]
# "The task's three cases" = "absolute value"
# "Random reals, float64 too" = "absolute value"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "absolute value"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    okna = X.unfold(0, k, 1).unfold(1, k, 1)  # (h', w', d, k, k)
    return torch.einsum("ijdab,abdq->ijq", okna, K).abs()
