# /// row
# summary = "Task 2: the layer's attributes are set after it was made"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=11, padding=2)
print(case_1(torch.zeros(1, 3, 224, 224)).shape)  # 218, za dużo
case_1.stride = 4

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, kernel_size=(3, 2))
case_2.stride = (1, 2)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, kernel_size=3)
case_3.dilation = (2, 2)
