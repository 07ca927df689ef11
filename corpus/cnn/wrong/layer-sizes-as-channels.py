# /// row
# summary = "Task 2: case 2 fits, but the maps' widths are given as channels"
# right = ["task2_case_1_tests", "task2_case_3_tests"]
# [loses.task2_case_2_tests]
# "Output shape and required parameters" = "in_channels = 32"
# ///

# %% task2_case_1
case_1 = nn.Conv2d(in_channels=3, out_channels=64, padding=2, dilation=1, kernel_size=11, stride=4)

# %% task2_case_2
case_2 = nn.Conv2d(32, 16, kernel_size=(3, 2), stride=(1, 2))

# %% task2_case_3
case_3 = nn.Conv2d(in_channels=16, out_channels=16, stride=1, padding=0, kernel_size=3, dilation=2)
