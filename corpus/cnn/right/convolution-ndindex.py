# /// row
# summary = "Task 1 by ndindex"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    M = np.empty((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i, j, f in np.ndindex(*M.shape):
        M[i, j, f] = np.vdot(X[i:i + k, j:j + k], K[:, :, :, f])
    assert M.shape[2] == q
    return M

# %% before task2_case_1
%%bash
echo gotowe

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
