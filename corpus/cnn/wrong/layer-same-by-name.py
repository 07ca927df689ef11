# /// row
# summary = "Task 2: case 3 with padding='same', which keeps the map's size"
# right = ["task2_case_1_tests", "task2_case_2_tests"]
# [loses.task2_case_3_tests]
# "Output shape and required parameters" = "should be 46×46"
# ///

# %% task2_case_1
case_1 = nn.Conv2d(in_channels=3, out_channels=64, padding=2, dilation=1, kernel_size=11, stride=4)

# %% task2_case_2
case_2 = nn.Conv2d(in_channels=1, out_channels=1, padding=0, dilation=1, kernel_size=(3, 2), stride=(1, 2))

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, kernel_size=3, stride=1, padding="same", dilation=2)
