# /// row
# summary = "Task 1 by indices"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    i = torch.arange(X.shape[0] - k + 1)[:, None] + torch.arange(k)  # (h', k)
    j = torch.arange(X.shape[1] - k + 1)[:, None] + torch.arange(k)
    okna = X[i[:, None, :, None], j[None, :, None, :]]  # (h', w', k, k, d)
    return torch.einsum("hwabc,abcf->hwf", okna, K)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% before task1_matrix
%%timeit -n 1 -r 1
convolution(torch.rand(9, 9, 3), torch.rand(3, 3, 3, 2), 2)
