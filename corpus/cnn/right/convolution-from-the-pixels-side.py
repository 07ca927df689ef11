# /// row
# summary = "Task 1: each pixel is added to all values of the map that its windows give"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, _ = X.shape
    k = K.shape[0]
    wys, szer = h - k + 1, w - k + 1
    M = np.zeros((wys, szer, q))
    for y in range(h):
        for x in range(w):
            for a in range(k):
                for b in range(k):
                    i, j = y - a, x - b  # lewy górny róg okna, w którym ten piksel ma numer (a, b)
                    if 0 <= i < wys and 0 <= j < szer:
                        M[i, j] += X[y, x] @ K[a, b]
    return M
