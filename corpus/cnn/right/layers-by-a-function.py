# /// row
# summary = "Task 2: a search for a stride that fits, then the layer"
# right = ["task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% task2_case_1
def rozmiar(n, k, s, p=0, d=1):
    return (n + 2 * p - d * (k - 1) - 1) // s + 1

def dobierz(n, cel, p):
    return next((k, s) for k in range(8, 13) for s in range(2, 8) if rozmiar(n, k, s, p) == cel)

k, s = dobierz(224, 55, 2)
case_1 = nn.Conv2d(in_channels=3, out_channels=64, kernel_size=k, stride=s, padding=2, dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, kernel_size=(3, 2), stride=(1, 2), padding=0, dilation=1)

# %% task2_case_3
case_3 = nn.Conv2d(16, 16, kernel_size=3, stride=1, padding=0, dilation=2)
