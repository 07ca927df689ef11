# /// row
# summary = "Task 1 by big matrix"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    # jedna duża macierz (jak w warstwie liniowej): wiersz na każdą wartość wyniku
    X, K = np.asarray(X, dtype=float), np.asarray(K, dtype=float)
    (h, w, d), k = X.shape, K.shape[0]
    macierz = np.zeros((h - k + 1, w - k + 1, q, h, w, d))
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            macierz[i, j, :, i:i + k, j:j + k] = np.moveaxis(K, -1, 0)
    return (macierz.reshape(-1, h * w * d) @ X.reshape(-1)).reshape(h - k + 1, w - k + 1, q)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
