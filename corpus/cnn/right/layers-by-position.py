# /// row
# summary = "Task 2: all arguments by position, tuples for both axes"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, (11, 11), (4, 4), (2, 2), (1, 1))

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 1), (1, 2), 0)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, (3, 3), 1, 0, (2, 2))
