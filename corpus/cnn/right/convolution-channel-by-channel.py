# /// row
# summary = "Task 1: a map for each channel and filter, added up"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def jeden_kanal(obraz, filtr):
    k = filtr.shape[0]
    mapa = np.zeros((obraz.shape[0] - k + 1, obraz.shape[1] - k + 1))
    for r in range(mapa.shape[0]):
        for s in range(mapa.shape[1]):
            mapa[r, s] = np.vdot(obraz[r:r + k, s:s + k], filtr)
    return mapa


def convolution(X, K, q: int):
    X, K = np.array(X), np.array(K)
    mapy = []
    for f in range(q):
        mapy.append(sum(jeden_kanal(X[:, :, c], K[:, :, c, f]) for c in range(X.shape[2])))
    return np.dstack(mapy)
