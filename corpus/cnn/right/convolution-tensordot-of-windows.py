# /// row
# summary = "Task 1: np.tensordot for each pixel, on lists of rows"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X = np.asarray(X)
    K = np.asarray(K)
    k = K.shape[0]
    wiersze = []
    for i in range(X.shape[0] - k + 1):
        wiersze.append([np.tensordot(X[i:i + k, j:j + k], K, axes=([0, 1, 2], [0, 1, 2]))
                        for j in range(X.shape[1] - k + 1)])
    return np.array(wiersze)
