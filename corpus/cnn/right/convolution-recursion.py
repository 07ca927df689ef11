# /// row
# summary = "Task 1 by recursion"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task1_convolution
%%time
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    if q > 1:  # filtry po kolei, rekurencyjnie
        return torch.cat([convolution(X, K[..., :1], 1), convolution(X, K[..., 1:], q - 1)], dim=-1)
    k = K.size(0)
    okna = X.unfold(0, k, 1).unfold(1, k, 1)
    return (okna * K[..., 0].permute(2, 0, 1)).sum(dim=(2, 3, 4)).unsqueeze(-1)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
