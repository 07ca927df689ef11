# /// row
# summary = "Task 1: a helper, and a check against F.conv2d beside it"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def window(X, i, j, k):
    return X[i:i + k, j:j + k]

def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    out = [[(window(X, i, j, k)[..., None] * K).sum((0, 1, 2)) for j in range(X.shape[1] - k + 1)]
           for i in range(X.shape[0] - k + 1)]
    return np.array(out)

out = F.conv2d(torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 3, 3))
