# /// row
# summary = "Task 2: the parameters of all three in one table, kernels of another height than width"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% before task2_case_1
WARSTWY = {
    1: {"in_channels": 3, "out_channels": 64, "kernel_size": (12, 9), "stride": (4, 4), "padding": (2, 2)},
    2: {"in_channels": 1, "out_channels": 1, "kernel_size": (3, 2), "stride": (1, 2)},
    3: {"in_channels": 16, "out_channels": 16, "kernel_size": (3, 3), "dilation": (2, 2)},
}

def warstwa(numer):
    return nn.Conv2d(**WARSTWY[numer])

# %% task2_case_1
case_1 = warstwa(1)

# %% task2_case_2
case_2 = warstwa(2)

# %% task2_case_3
case_3 = warstwa(3)
