# /// row
# summary = "Task 1: torch indexing with an index tensor for each window"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    h, w, d = X.shape
    k = K.shape[0]
    plaski = X.reshape(h * w, d)
    baza = torch.arange(h - k + 1)[:, None] * w + torch.arange(w - k + 1)[None, :]
    okno = (torch.arange(k)[:, None] * w + torch.arange(k)[None, :]).reshape(-1)
    indeksy = baza.reshape(-1, 1) + okno[None, :]
    wycinki = plaski[indeksy]                       # (pozycje, k*k, d)
    wynik = wycinki.reshape(indeksy.shape[0], -1) @ K.reshape(-1, q)
    return wynik.reshape(h - k + 1, w - k + 1, q)
