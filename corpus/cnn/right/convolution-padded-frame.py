# /// row
# summary = "Task 1: padded with zeros to a bigger frame, computed there, sliced back"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    ramka = np.pad(X, ((k - 1, k - 1), (k - 1, k - 1), (0, 0)))
    h, w = X.shape[0] + k - 1, X.shape[1] + k - 1
    pelna = sum(ramka[a:a + h, b:b + w] @ K[a, b] for a in range(k) for b in range(k))
    return pelna[k - 1:X.shape[0], k - 1:X.shape[1]]
