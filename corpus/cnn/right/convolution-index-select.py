# /// row
# summary = "Task 1: shifted copies of the image by torch.index_select"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X).double(), torch.as_tensor(K).double()
    k = K.shape[0]
    wiersze = torch.arange(X.shape[0] - k + 1)
    kolumny = torch.arange(X.shape[1] - k + 1)
    M = torch.zeros(len(wiersze), len(kolumny), q, dtype=torch.double)
    for a in range(k):
        pas = torch.index_select(X, 0, wiersze + a)
        for b in range(k):
            M += torch.index_select(pas, 1, kolumny + b).matmul(K[a, b])
    return M
