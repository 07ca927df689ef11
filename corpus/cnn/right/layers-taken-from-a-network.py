# /// row
# summary = "Task 2: the layers are taken out of small networks that were tried first"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
siec = nn.Sequential(nn.Conv2d(3, 64, 10, stride=4, padding=2), nn.ReLU())
print(siec(torch.zeros(1, 3, 224, 224)).shape)
case_1 = siec[0]

# %% task2_case_2
siec = nn.Sequential()
siec.add_module("conv", nn.Conv2d(1, 1, (3, 1), (1, 2)))
siec.add_module("relu", nn.ReLU())
case_2 = siec.conv

# %% task2_case_3
kandydaci = [nn.Conv2d(16, 16, 3, dilation=d) for d in range(1, 4)]
for kandydat in kandydaci:
    print(kandydat.dilation, tuple(kandydat(torch.zeros(1, 16, 50, 50)).shape))
case_3 = kandydaci[1]
