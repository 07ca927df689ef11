# /// row
# summary = "Task 1: a band matrix for each row of the kernel; bonus by one large matrix and by clipped indices"
# right = ["task1_convolution_tests", "task1_matrix_tests", "task1_same_tests"]
# ///

# %% task1_convolution
def pasmo(wagi, w):
    # w kolumnie j stoją wagi, od wiersza j w dół
    k = len(wagi)
    return sum(wagi[b] * np.eye(w, w - k + 1, k=-b) for b in range(k))

def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, d = X.shape
    k = K.shape[0]
    M = np.zeros((h - k + 1, w - k + 1, q))
    for a in range(k):
        for c in range(d):
            for f in range(q):
                M[:, :, f] += X[a:a + h - k + 1, :, c] @ pasmo(K[a, :, c, f], w)
    return M

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    numery = np.arange(X.size).reshape(X.shape)  # numer każdej liczby w spłaszczonym obrazie
    okna = np.lib.stride_tricks.sliding_window_view(numery, (k, k), axis=(0, 1))
    h, w = okna.shape[:2]
    kolumny = okna.transpose(0, 1, 3, 4, 2).reshape(h * w, -1)
    T = np.zeros((h * w, X.size, q), dtype=K.dtype)
    T[np.arange(h * w)[:, None], kolumny] = K.reshape(-1, q)
    return np.tensordot(X.ravel(), T, axes=(0, 1)).reshape(h, w, q)

# %% task1_same
def convolution_same(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, _ = X.shape
    p = K.shape[0] // 2
    i, j = np.arange(-p, h + p), np.arange(-p, w + p)
    obraz = X[np.ix_(np.clip(i, 0, h - 1), np.clip(j, 0, w - 1))]
    wewnatrz = np.outer((i >= 0) & (i < h), (j >= 0) & (j < w))  # poza obrazem zera
    return convolution(obraz * wewnatrz[:, :, None], K, q)
