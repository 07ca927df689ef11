# /// row
# summary = "Bonus: F.conv2d with padding='same' does the work"
# right = ["task1_convolution_tests"]
# [loses.task1_same_tests]
# "Output as large as the input" = "torch.nn.functional.conv2d"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X, (k, k), axis=(0, 1))
    return np.einsum("ijcab,abcf->ijf", okna, K)

# %% task1_same
def convolution_same(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    out = F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1), padding="same")
    return out[0].permute(1, 2, 0)
