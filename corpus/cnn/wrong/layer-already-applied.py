# /// row
# summary = "Task 2: case 1 is the layer's result for an image"
# right = ["task2_case_2_tests", "task2_case_3_tests"]
# [loses.task2_case_1_tests]
# "Output shape and required parameters" = "is of type Tensor"
# ///

# %% task2_case_1
x = torch.randn(1, 3, 224, 224)
case_1 = nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2)(x)
print(case_1.shape)

# %% task2_case_2
case_2 = nn.Conv2d(in_channels=1, out_channels=1, padding=0, dilation=1, kernel_size=(3, 2), stride=(1, 2))

# %% task2_case_3
case_3 = nn.Conv2d(in_channels=16, out_channels=16, stride=1, padding=0, kernel_size=3, dilation=2)
