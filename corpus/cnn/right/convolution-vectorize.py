# /// row
# summary = "Task 1: np.vectorize over row, column and filter"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]

    def element(i, j, f):
        return (X[i:i + k, j:j + k, :] * K[:, :, :, f]).sum()

    i, j, f = np.ogrid[:X.shape[0] - k + 1, :X.shape[1] - k + 1, :q]
    return np.vectorize(element, otypes=[float])(i, j, f)
