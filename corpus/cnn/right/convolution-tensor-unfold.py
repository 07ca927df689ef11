# /// row
# summary = "Task 1: torch's Tensor.unfold and einsum"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X = torch.as_tensor(X)
    K = torch.as_tensor(K)
    k = K.size(0)
    okna = X.unfold(0, k, 1).unfold(1, k, 1)  # (h', w', d, k, k)
    return torch.einsum("hwcij,ijcf->hwf", okna, K)
