# /// row
# summary = "Task 1: functools.partial of a function with stride and padding, which the bonus uses too"
# right = ["task1_convolution_tests", "task1_same_tests"]
# ///

# %% task1_convolution
from functools import partial

def splot(X, K, q, krok=1, ramka=0):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    if ramka > 0:
        X = np.pad(X, [(ramka, ramka), (ramka, ramka), (0, 0)], mode="constant")
    wiersze = range(0, X.shape[0] - k + 1, krok)
    kolumny = range(0, X.shape[1] - k + 1, krok)
    M = np.zeros((len(wiersze), len(kolumny), q), dtype=X.dtype)
    for m, i in enumerate(wiersze):
        for n, j in enumerate(kolumny):
            M[m, n] = np.einsum("abc,abcf->f", X[i:i + k, j:j + k], K)
    return M

convolution = partial(splot, krok=1, ramka=0)

# %% task1_same
def convolution_same(X, K, q: int):
    return splot(X, K, q, ramka=(K.shape[0] - 1) // 2)
