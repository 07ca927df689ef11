# /// row
# summary = "Task 1: right, but X is set to zero when it is done with"
# [loses.task1_convolution_tests]
# "The inputs are left unchanged" = "changes X or K"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = 0
    for a in range(k):
        for b in range(k):
            M = M + X[a:a + h, b:b + w] @ K[a, b]
    X[:] = 0  # zwalniam obraz
    return M
