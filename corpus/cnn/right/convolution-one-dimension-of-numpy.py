# /// row
# summary = "Task 1: np.convolve of each row with each reversed row of the kernel, added up"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, d = X.shape
    k = K.shape[0]
    M = np.zeros((h - k + 1, w - k + 1, q))
    for i in range(h - k + 1):
        for f in range(q):
            for a in range(k):
                for c in range(d):
                    # np.convolve odwraca filtr, więc odwracam go wcześniej
                    M[i, :, f] += np.convolve(X[i + a, :, c], K[a, ::-1, c, f], mode="valid")
    return M
