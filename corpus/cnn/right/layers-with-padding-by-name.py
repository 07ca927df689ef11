# /// row
# summary = "Task 2: no padding by its name, valid, and groups of four channels"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, 12, 4, 2, 1, 1, False)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 1), (1, 2), "valid")

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, 3, dilation=2, padding="valid", groups=4)
