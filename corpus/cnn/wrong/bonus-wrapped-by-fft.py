# /// row
# summary = "Bonus: by FFT of the image's size, so that its edges meet the opposite ones"
# right = ["task1_convolution_tests"]
# [loses.task1_same_tests]
# "Output as large as the input" = "values are wrong"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h):
        for j in range(w):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k, :] * K[:, :, :, f])
    return M

# %% task1_same
def convolution_same(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, d = X.shape
    p = K.shape[0] // 2
    M = np.zeros((h, w, q))
    for f in range(q):
        for c in range(d):
            widmo = np.fft.fft2(X[:, :, c]) * np.conj(np.fft.fft2(K[:, :, c, f], s=(h, w)))
            M[:, :, f] += np.fft.ifft2(widmo).real
    return np.roll(M, (p, p), axis=(0, 1))
