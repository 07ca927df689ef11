# /// row
# summary = "Task 1: one filter's map, and torch.vmap over the filters"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    okna = X.unfold(0, k, 1).unfold(1, k, 1)  # (h', w', d, k, k)

    def jeden_filtr(filtr):
        return (okna * filtr.permute(2, 0, 1)).sum(dim=(2, 3, 4))

    return torch.vmap(jeden_filtr, in_dims=3, out_dims=2)(K)
