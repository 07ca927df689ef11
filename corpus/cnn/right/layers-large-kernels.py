# /// row
# summary = "Task 2: far larger kernels, with smaller strides, that fit"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
# (224 + 4 - 65) / 3 = 54.33, w dół 54, plus 1
case_1 = nn.Conv2d(3, 64, kernel_size=65, stride=3, padding=2, dilation=1)

# %% task2_case_2
# bez kroku: 32 - 17 + 1 = 16
case_2 = nn.Conv2d(1, 1, kernel_size=(3, 17), stride=1, padding=0, dilation=1)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, kernel_size=3, stride=1, padding=0, dilation=(2, 2))
