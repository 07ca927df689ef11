# /// row
# summary = "Task 2: nn.LazyConv2d, which learns the number of channels from a first image"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.LazyConv2d(64, kernel_size=9, stride=4, padding=2)
print(case_1(torch.rand(1, 3, 224, 224)).shape)

# %% task2_case_2
case_2 = nn.LazyConv2d(1, kernel_size=(3, 1), stride=(1, 2))
print(case_2(torch.rand(1, 1, 32, 32)).shape)

# %% task2_case_3
case_3 = nn.LazyConv2d(16, kernel_size=3, dilation=2)
print(case_3(torch.rand(1, 16, 50, 50)).shape)
