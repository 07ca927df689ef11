# /// row
# summary = "Task 1 with the second bonus cell: odd kernels only, as it asks, an even one raises"
# right = ["task1_convolution_tests", "task1_same_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    suma = np.zeros((h, w, q))
    for a in range(k):
        for b in range(k):
            suma += X[a:a + h, b:b + w] @ K[a, b]
    return suma

# %% task1_same
def convolution_same(X, K, q: int):
    k = K.shape[0]
    if k % 2 == 0:
        raise ValueError("filtr musi mieć nieparzysty bok")
    p = k // 2
    X = np.asarray(X)
    h, w, d = X.shape
    pion = np.zeros((p, w, d))
    X = np.concatenate([pion, X, pion], axis=0)
    poziom = np.zeros((h + 2 * p, p, d))
    return convolution(np.concatenate([poziom, X, poziom], axis=1), K, q)
