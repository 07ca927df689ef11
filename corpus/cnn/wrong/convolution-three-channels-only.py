# /// row
# summary = "Task 1: adds up three channels, whatever the image has"
# [loses.task1_convolution_tests]
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "IndexError"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    M = np.zeros((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i in range(M.shape[0]):
        for j in range(M.shape[1]):
            for f in range(q):
                for kanal in (0, 1, 2):  # RGB
                    M[i, j, f] += np.sum(X[i:i + k, j:j + k, kanal] * K[:, :, kanal, f])
    return M
