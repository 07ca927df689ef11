# /// row
# summary = "Task 1: returns nested lists"
# [loses.task1_convolution_tests]
# "The task's three cases" = "list"
# "Random reals, float64 too" = "list"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "list"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = X.tolist(), np.asarray(K)
    k = K.shape[0]
    wynik = []
    for i in range(len(X) - k + 1):
        wiersz = []
        for j in range(len(X[0]) - k + 1):
            okno = np.array([r[j:j + k] for r in X[i:i + k]])
            wiersz.append([float((okno * K[..., f]).sum()) for f in range(q)])
        wynik.append(wiersz)
    return wynik
