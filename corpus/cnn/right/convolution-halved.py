# /// row
# summary = "Task 1: the image is halved until one row of the map is left, the halves are joined"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    ile = X.shape[0] - k + 1
    if ile > 1:
        # połowy zachodzą na siebie o k - 1 wierszy
        srodek = ile // 2
        gora = convolution(X[:srodek + k - 1], K, q)
        dol = convolution(X[srodek:], K, q)
        return torch.cat([gora, dol], dim=0)
    wiersz = [torch.tensordot(X[:, j:j + k], K, dims=3) for j in range(X.shape[1] - k + 1)]
    return torch.stack(wiersz).unsqueeze(0)
