# /// row
# summary = "Task 1 by float32 inside"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X).float(), torch.as_tensor(K).float()
    k = K.shape[0]
    h, w, _ = X.shape
    M = torch.zeros(h - k + 1, w - k + 1, q)
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            okno = X[i:i + k, j:j + k]
            for f in range(q):
                M[i, j, f] = (okno * K[..., f]).sum()
    return M

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
