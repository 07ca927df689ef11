# /// row
# summary = "Task 1 by torch only"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task1_convolution
def convolution(X: torch.Tensor, K: torch.Tensor, q: int) -> torch.Tensor:
    if not torch.is_tensor(X):
        raise TypeError("działam tylko na tensorach")
    k = K.size(0)
    kolumny = F.unfold(X.permute(2, 0, 1).unsqueeze(0).float(), kernel_size=k)[0]
    wagi = K.permute(3, 2, 0, 1).flatten(1).float()
    return (wagi @ kolumny).view(q, X.size(0) - k + 1, -1).permute(1, 2, 0)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
