# /// row
# summary = "Task 2: a layer with weight norm, a frozen one with weights of its own, one in channels-last order"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
case_1 = nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2))

# %% task2_case_2
# średnia z okna, bez uczenia
case_2 = nn.Conv2d(1, 1, kernel_size=(3, 2), stride=(1, 2), bias=False).eval().requires_grad_(False)
case_2.weight.fill_(1 / 6)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, kernel_size=3, dilation=2).to(memory_format=torch.channels_last)
