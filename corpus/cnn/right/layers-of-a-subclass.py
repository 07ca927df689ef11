# /// row
# summary = "Task 2: a subclass of nn.Conv2d that sets its own initial weights"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% before task2_case_1
class MojaKonwolucja(nn.Conv2d):
    def __init__(self, wejscie, wyjscie, **parametry):
        super().__init__(wejscie, wyjscie, **parametry)
        nn.init.kaiming_normal_(self.weight)
        nn.init.zeros_(self.bias)

# %% task2_case_1
case_1 = MojaKonwolucja(3, 64, kernel_size=11, stride=4, padding=2)

# %% task2_case_2
case_2 = MojaKonwolucja(1, 1, kernel_size=(3, 2), stride=(1, 2))

# %% task2_case_3
case_3 = MojaKonwolucja(16, 16, kernel_size=3, dilation=2)
