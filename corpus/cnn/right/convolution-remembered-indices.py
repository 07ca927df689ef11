# /// row
# summary = "Task 1: indices of the windows remembered by size with lru_cache; the bonus is the same function"
# right = ["task1_convolution_tests", "task1_matrix_tests"]
# ///

# %% before task1_convolution
from functools import lru_cache

@lru_cache(maxsize=None)
def indeksy(h, w, k):
    # zależą tylko od rozmiarów, więc wystarczy policzyć je raz
    a, b = np.repeat(np.arange(k), k), np.tile(np.arange(k), k)
    i = np.repeat(np.arange(h - k + 1), w - k + 1)
    j = np.tile(np.arange(w - k + 1), h - k + 1)
    return i[:, None] + a, j[:, None] + b

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, d = X.shape
    k = K.shape[0]
    i, j = indeksy(h, w, k)
    okna = X[i, j].reshape(-1, k * k * d)
    return (okna @ K.reshape(k * k * d, q)).reshape(h - k + 1, w - k + 1, q)

# %% task1_matrix
# powyższa funkcja nie ma już pętli
convolution_matrix = convolution
