# /// row
# summary = "Task 2: case 3 fits, but by a kernel of five without dilation"
# right = ["task2_case_1_tests", "task2_case_2_tests"]
# [loses.task2_case_3_tests]
# "Output shape and required parameters" = "kernel_size"
# ///

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, 11, stride=4, padding=2)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), stride=(1, 2))

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, 5)
