# /// row
# summary = "Task 1: computes in float16"
# [loses.task1_convolution_tests]
# "Random reals, float64 too" = "not precise enough"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "not precise enough"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X).astype(np.float16), np.asarray(K).astype(np.float16)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q), dtype=np.float16)
    for i in range(h):
        for j in range(w):
            M[i, j] = np.tensordot(X[i:i + k, j:j + k], K, axes=3)
    return M
