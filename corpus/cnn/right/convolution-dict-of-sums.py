# /// row
# summary = "Task 1: sums in a dictionary by position, then an array"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
from collections import defaultdict

def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    (h, w, d), k = X.shape, K.shape[0]
    sumy = defaultdict(float)
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            for a in range(k):
                for b in range(k):
                    sumy[i, j] = sumy[i, j] + X[i + a, j + b] @ K[a, b]
    M = np.zeros((h - k + 1, w - k + 1, q))
    for (i, j), wartosci in sumy.items():
        M[i, j] = wartosci
    return M
