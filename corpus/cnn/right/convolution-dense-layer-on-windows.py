# /// row
# summary = "Task 1: nn.Linear with the kernel as its weights; bonus by nn.Unfold and nn.ZeroPad2d"
# right = ["task1_convolution_tests", "task1_matrix_tests", "task1_same_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    # ta sama warstwa liniowa w każdym miejscu obrazu
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k, _, d, _ = K.shape
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    warstwa = nn.Linear(k * k * d, q, bias=False, dtype=X.dtype)
    with torch.no_grad():
        warstwa.weight.copy_(K.reshape(-1, q).T)
    okna = torch.stack([X[i:i + k, j:j + k].flatten() for i in range(h) for j in range(w)])
    return warstwa(okna).reshape(h, w, q)

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    okna = nn.Unfold(kernel_size=k)(X.permute(2, 0, 1)[None])[0]  # (d * k * k, liczba okien)
    wagi = K.permute(3, 2, 0, 1).reshape(q, -1)
    return F.linear(okna.T, wagi).reshape(X.shape[0] - k + 1, X.shape[1] - k + 1, q)

# %% task1_same
def convolution_same(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    ramka = nn.ZeroPad2d(K.shape[0] // 2)
    return convolution(ramka(X.permute(2, 0, 1)).permute(1, 2, 0), K, q)
