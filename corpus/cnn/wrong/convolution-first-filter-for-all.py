# /// row
# summary = "Task 1: all maps are made with the first filter"
# [loses.task1_convolution_tests]
# "The task's three cases" = "All maps equal the first"
# "Random reals, float64 too" = "All maps equal the first"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "All maps equal the first"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    filtr = K[..., 0]
    out = torch.zeros(X.shape[0] - k + 1, X.shape[1] - k + 1, q)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for f in range(q):
                out[i, j, f] = (X[i:i + k, j:j + k] * filtr).sum()
    return out
