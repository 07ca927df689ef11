# /// row
# summary = "Task 1: the image is rolled and weighted, the rest cut off"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    suma = np.zeros((X.shape[0], X.shape[1], q))
    for di in range(k):
        for dj in range(k):
            przesuniety = np.roll(X, shift=(-di, -dj), axis=(0, 1))
            suma += np.einsum("ijd,dq->ijq", przesuniety, K[di, dj])
    return suma[:X.shape[0] - k + 1, :X.shape[1] - k + 1, :]
