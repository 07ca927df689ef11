# /// row
# summary = "Task 1: rectangular kernels too, the loop over columns outside"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    if isinstance(X, torch.Tensor):
        X, K = X.numpy(), K.numpy()
    kh, kw, _, ile = K.shape
    assert ile == q, "zla liczba filtrow"
    wysokosc = X.shape[0] - kh + 1
    szerokosc = X.shape[1] - kw + 1
    M = np.zeros((wysokosc, szerokosc, q))
    for j in range(szerokosc):
        pasek = X[:, j:j + kw, :]
        for i in range(wysokosc):
            M[i, j, :] = pasek[i:i + kh].reshape(-1) @ K.reshape(-1, q)
    return M
