# /// row
# summary = "Bonus: k - 1 zeros on each side, so that the map is larger than the image"
# right = ["task1_convolution_tests"]
# [loses.task1_same_tests]
# "Output as large as the input" = "has shape (9, 11, 4)"
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
    margines = K.shape[0] - 1
    X = np.pad(np.asarray(X), ((margines, margines), (margines, margines), (0, 0)))
    return convolution(X, K, q)
