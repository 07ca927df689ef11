# /// row
# summary = "Task 1: each kernel is split by SVD into a column and a row, applied one after the other"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X, dtype=np.float64), np.asarray(K, dtype=np.float64)
    k, d = K.shape[0], K.shape[2]
    oh, ow = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((oh, ow, q))
    for f in range(q):
        for c in range(d):
            U, s, Vt = np.linalg.svd(K[:, :, c, f])
            for r in range(k):
                pion, poziom = U[:, r] * s[r], Vt[r]
                # najpierw w dół, potem w prawo
                etap = sum(pion[a] * X[a:a + oh, :, c] for a in range(k))
                M[:, :, f] += sum(poziom[b] * etap[:, b:b + ow] for b in range(k))
    return M
