# /// row
# summary = "Task 2: the formula solved for the kernel's side and the dilation, layers by functools.partial"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
from functools import partial

def bok_filtra(wejscie, wyjscie, stride, padding=0):
    # wyjscie = (wejscie + 2 * padding - k) / stride + 1
    return wejscie + 2 * padding - stride * (wyjscie - 1)

warstwa = partial(nn.Conv2d, in_channels=3, out_channels=64, padding=2, dilation=1)
case_1 = warstwa(kernel_size=bok_filtra(224, 55, stride=4, padding=2), stride=4)

# %% task2_case_2
bok_h, bok_w = bok_filtra(32, 30, stride=1), bok_filtra(32, 16, stride=2)
case_2 = nn.Conv2d(1, 1, kernel_size=(bok_h, bok_w), stride=(1, 2))

# %% task2_case_3
# 46 = 50 - dilation * (3 - 1)
case_3 = nn.Conv2d(16, 16, kernel_size=3, dilation=(50 - 46) // 2)
