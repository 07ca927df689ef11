# /// row
# summary = "Task 1 by im2col"
# right = ["task1_convolution_tests", "task2_case_1_tests", "task2_case_2_tests", "task2_case_3_tests"]
# ///

# %% before task1_convolution
%matplotlib inline
%config InlineBackend.figure_format = 'png'

# %% task1_convolution
def im2col(X, k):
    h, w, d = X.shape
    wiersze = [X[i:i + k, j:j + k].ravel() for i in range(h - k + 1) for j in range(w - k + 1)]
    return np.stack(wiersze)

def convolution(X, K, q: int):
    X, K = np.array(X), np.array(K)
    k = len(K)
    return np.dot(im2col(X, k), K.reshape(-1, q)).reshape(X.shape[0] - k + 1, -1, q)

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)
