# /// row
# summary = "Task 2: case 2 is a function that calls F.conv2d"
# right = ["task2_case_1_tests", "task2_case_3_tests"]
# [loses.task2_case_2_tests]
# "Output shape and required parameters" = "is of type function"
# ///

# %% task2_case_1
case_1 = nn.Conv2d(in_channels=3, out_channels=64, padding=2, dilation=1, kernel_size=11, stride=4)

# %% task2_case_2
wagi = torch.randn(1, 1, 3, 2)
case_2 = lambda x: F.conv2d(x, wagi, stride=(1, 2))

# %% task2_case_3
case_3 = nn.Conv2d(in_channels=16, out_channels=16, stride=1, padding=0, kernel_size=3, dilation=2)
