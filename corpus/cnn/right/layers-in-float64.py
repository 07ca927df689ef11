# /// row
# summary = "Task 2: weights in float64"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, 11, stride=4, padding=2, dtype=torch.float64)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), stride=(1, 2), dtype=torch.float64)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, 3, dilation=2).double()
