# /// row
# summary = "Task 1: F.unfold's columns list channels first, the kernels are flattened as they are"
# [loses.task1_convolution_tests]
# "The task's three cases" = "axes in different orders"
# "Random reals, float64 too" = "axes in different orders"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "axes in different orders"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    kolumny = F.unfold(X.permute(2, 0, 1)[None], k)[0]      # (d*k*k, pozycje)
    wynik = K.reshape(-1, q).T @ kolumny
    return wynik.T.reshape(X.shape[0] - k + 1, X.shape[1] - k + 1, q)
