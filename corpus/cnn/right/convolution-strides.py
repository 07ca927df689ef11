# /// row
# summary = "Task 1 by strides"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task1_same_tests",
# ]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.ascontiguousarray(X), np.asarray(K)
    k, (h, w, d), (s0, s1, s2) = K.shape[0], X.shape, X.strides
    okna = np.lib.stride_tricks.as_strided(X, (h - k + 1, w - k + 1, k, k, d), (s0, s1, s0, s1, s2), writeable=False)
    return np.tensordot(okna, K, axes=3)

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
