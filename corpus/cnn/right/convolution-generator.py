# /// row
# summary = "Task 1: a generator yields the values in turn, np.fromiter collects them"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def kolejne_wartosci(X, K):
    k, _, _, ile_filtrow = K.shape
    for i in range(X.shape[0] - k + 1):
        for j in range(X.shape[1] - k + 1):
            okno = X[i:i + k, j:j + k]
            for f in range(ile_filtrow):
                yield (okno * K[..., f]).sum()

def convolution(X, K, q: int):
    k = K.shape[0]
    wartosci = np.fromiter(kolejne_wartosci(X, K), dtype=np.float64)
    return torch.from_numpy(wartosci.reshape(X.shape[0] - k + 1, X.shape[1] - k + 1, q))
