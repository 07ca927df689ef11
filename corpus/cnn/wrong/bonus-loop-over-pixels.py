# /// row
# summary = "Bonus: the matrix is built by a loop over pixels"
# right = ["task1_convolution_tests"]
# [loses.task1_matrix_tests]
# "Equal to the convolution, no loop" = "grows with the image"
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

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    A = np.array([X[i:i + k, j:j + k].ravel() for i in range(h) for j in range(w)])
    return (A @ K.reshape(-1, q)).reshape(h, w, q)
