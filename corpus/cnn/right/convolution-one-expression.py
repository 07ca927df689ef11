# /// row
# summary = "Task 1: one nested comprehension"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    return np.array([[[(X[i:i + K.shape[0], j:j + K.shape[1]] * K[..., f]).sum() for f in range(q)]
                      for j in range(X.shape[1] - K.shape[1] + 1)]
                     for i in range(X.shape[0] - K.shape[0] + 1)])
