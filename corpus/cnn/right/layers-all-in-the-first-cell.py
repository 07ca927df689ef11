# /// row
# summary = "Task 2: all three layers in the first cell, strides of three and four in one of them"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
# w pionie: (228 - 64) / 3 = 54,67; w poziomie: (228 - 10) / 4 = 54,5; oba w dół i plus 1
case_1, case_2, case_3 = (
    nn.Conv2d(3, 64, kernel_size=(64, 10), stride=(3, 4), padding=2),
    nn.Conv2d(1, 1, kernel_size=(3, 2), stride=(1, 2)),
    nn.Conv2d(16, 16, kernel_size=3, dilation=2),
)

# %% task2_case_2
print(case_2)  # jest w poprzedniej komórce

# %% task2_case_3
print(case_3)
