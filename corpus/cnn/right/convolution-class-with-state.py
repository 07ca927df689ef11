# /// row
# summary = "Task 1 by class with state"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task1_same_tests",
# ]
# ///

# %% task1_convolution
class Konwolucja:
    def __init__(self, filtry):
        self.filtry = np.asarray(filtry)
        self.k = self.filtry.shape[0]

    def okno(self, i, j):
        return self.obraz[i:i + self.k, j:j + self.k]

    def __call__(self, obraz):
        self.obraz = np.asarray(obraz)
        h, w = (n - self.k + 1 for n in self.obraz.shape[:2])
        return np.array([[np.einsum("abc,abcf->f", self.okno(i, j), self.filtry) for j in range(w)] for i in range(h)])

def convolution(X, K, q: int):
    return Konwolucja(K)(X)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% task1_same
def convolution_same(X, K, q: int):
    p = (K.shape[0] - 1) // 2
    ramka = np.zeros((X.shape[0] + 2 * p, X.shape[1] + 2 * p, X.shape[2]))
    ramka[p:p + X.shape[0], p:p + X.shape[1]] = X
    return np.asarray(convolution(ramka, np.asarray(K), q))
