# /// row
# summary = "Task 1: F.unfold with the channels as a batch, torch.bmm, and a sum over channels"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    h, w, d = X.shape
    k = K.shape[0]
    kolumny = F.unfold(X.permute(2, 0, 1)[:, None], k)  # (d, k*k, okna): kanał jako osobny obraz
    wagi = K.permute(2, 3, 0, 1).reshape(d, q, k * k)
    mapy = torch.bmm(wagi, kolumny).sum(dim=0)
    return mapy.reshape(q, h - k + 1, w - k + 1).permute(1, 2, 0)
