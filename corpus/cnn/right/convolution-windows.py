# /// row
# summary = "Task 1 by windows"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task1_matrix_tests",
# ]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    okna = np.lib.stride_tricks.sliding_window_view(np.asarray(X, dtype=np.float32), K.shape[:2], axis=(0, 1))
    return np.einsum("ijcab,abcf->ijf", okna, np.asarray(K, dtype=np.float32), optimize=True)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    kolumny = F.unfold(X.permute(2, 0, 1)[None].double(), k)[0].T
    return (kolumny @ K.permute(2, 0, 1, 3).reshape(-1, q).double()).reshape(X.shape[0] - k + 1, X.shape[1] - k + 1, q)
