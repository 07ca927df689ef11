# /// row
# summary = "Task 1: the result has a first axis of one"
# [loses.task1_convolution_tests]
# "The task's three cases" = "has shape (1,"
# "Random reals, float64 too" = "has shape (1,"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "has shape (1,"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    kolumny = F.unfold(X.permute(2, 0, 1).unsqueeze(0), kernel_size=k)
    filtry = K.permute(3, 2, 0, 1).reshape(q, -1)
    wynik = (filtry @ kolumny).reshape(1, q, X.shape[0] - k + 1, X.shape[1] - k + 1)
    return wynik.permute(0, 2, 3, 1)
