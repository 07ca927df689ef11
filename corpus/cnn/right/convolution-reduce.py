# /// row
# summary = "Task 1: functools.reduce over the kernel's elements"
# right = ["task1_convolution_tests"]
# ///

# %% before task1_convolution
from functools import reduce
from itertools import product

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = len(K)
    wys, szer = X.shape[0] - k + 1, X.shape[1] - k + 1
    dodaj = lambda mapa, ab: mapa + X[ab[0]:ab[0] + wys, ab[1]:ab[1] + szer].dot(K[ab])
    return reduce(dodaj, product(range(k), repeat=2), np.zeros((wys, szer, q)))
