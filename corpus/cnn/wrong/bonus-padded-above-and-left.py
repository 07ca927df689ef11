# /// row
# summary = "Bonus: half of the zeros: above and on the left only"
# right = ["task1_convolution_tests"]
# [loses.task1_same_tests]
# "Output as large as the input" = "off by one"
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
    X = np.asarray(X)
    h, w, d = X.shape
    p = K.shape[0] // 2
    wiekszy = np.zeros((h + p, w + p, d))
    wiekszy[p:, p:] = X
    return convolution(wiekszy, np.asarray(K), q)
