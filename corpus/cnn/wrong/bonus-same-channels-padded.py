# /// row
# summary = "Bonus: the channels are padded as well"
# right = ["task1_convolution_tests"]
# [loses.task1_same_tests]
# "Output as large as the input" = "Error"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    M = np.zeros((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            M[i, j] = np.tensordot(X[i:i + k, j:j + k], K, axes=3)
    return M

# %% task1_same
def convolution_same(X, K, q: int):
    p = K.shape[0] // 2
    return convolution(np.pad(np.asarray(X), p), K, q)
