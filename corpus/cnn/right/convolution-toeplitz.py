# /// row
# summary = "Task 1: one row of blocks for each shift, as a Toeplitz matrix, times the flattened image"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def macierz(filtr, h, w):
    # filtr (k, k, d) jako macierz, ktora dziala na splaszczony obraz
    k, _, d = filtr.shape
    oh, ow = h - k + 1, w - k + 1
    T = np.zeros((oh * ow, h, w, d))
    for i in range(oh):
        for j in range(ow):
            T[i * ow + j, i:i + k, j:j + k] = filtr
    return T.reshape(oh * ow, -1)

def convolution(X, K, q: int):
    X, K = np.asarray(X, dtype=float), np.asarray(K, dtype=float)
    h, w, _ = X.shape
    k = K.shape[0]
    mapy = [macierz(K[..., f], h, w) @ X.ravel() for f in range(q)]
    return np.stack(mapy, axis=-1).reshape(h - k + 1, w - k + 1, q)
