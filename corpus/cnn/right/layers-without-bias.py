# /// row
# summary = "Task 2: without bias, by a dictionary of arguments"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
parametry = dict(kernel_size=10, stride=4, padding=2, bias=False)
case_1 = nn.Conv2d(3, 64, **parametry)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), stride=(1, 2), bias=False)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, 3, padding=(0, 0), dilation=2, bias=False)
