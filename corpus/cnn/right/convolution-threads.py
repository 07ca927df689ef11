# /// row
# summary = "Task 1: a thread for each filter"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
from concurrent.futures import ThreadPoolExecutor

def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1

    def mapa(f):
        wynik = np.empty((h, w))
        for i in range(h):
            for j in range(w):
                wynik[i, j] = np.tensordot(X[i:i + k, j:j + k], K[..., f], axes=3)
        return wynik

    with ThreadPoolExecutor(max_workers=4) as pula:
        mapy = list(pula.map(mapa, range(q)))
    return np.stack(mapy, axis=-1)
