# /// row
# summary = "Task 2: padding by reflection, and a group for each channel, of which the task says nothing"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.Conv2d(
    in_channels=3,
    out_channels=64,
    padding=2,
    padding_mode="reflect",
    dilation=1,
    kernel_size=12,
    stride=4,
)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, padding=0, dilation=1, kernel_size=(3, 1), stride=(1, 2))

# %% task2_case_3
# konwolucja depthwise: każdy kanał ma własny filtr
case_3 = nn.Conv2d(16, 16, stride=1, padding=0, kernel_size=3, dilation=2, groups=16)
