# /// row
# summary = "Task 1 by rows, and a first try replaced"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% before task1_convolution
# pierwsza próba, tylko dla porównania
def convolution(X, K, q):
    return F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))[0].permute(1, 2, 0)

# %% task1_convolution
def convolution(X, K, q: int):
    # wiersz wyniku jako funkcja lokalna
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    szer = X.shape[1] - k + 1
    def wiersz(i):
        pas = X[i:i + k]
        return sum(np.tensordot(pas[:, b:b + szer], K[:, b], axes=([0, 2], [0, 1])) for b in range(k))
    return np.stack(list(map(wiersz, range(X.shape[0] - k + 1))))

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
