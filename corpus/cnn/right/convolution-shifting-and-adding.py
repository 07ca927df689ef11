# /// row
# summary = "Task 1: shifting and adding"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q):
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    return sum(X[a:a + h, b:b + w] @ K[a, b] for a in range(k) for b in range(k))
