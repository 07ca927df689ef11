# /// row
# summary = "Task 1: by FFT, without cutting off what wraps around"
# [loses.task1_convolution_tests]
# "The task's three cases" = "input's size"
# "Random reals, float64 too" = "input's size"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "input's size"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    FX = np.fft.rfft2(X, axes=(0, 1))
    FK = np.fft.rfft2(K, X.shape[:2], axes=(0, 1)).conj()
    return np.fft.irfft2((FX[..., None] * FK).sum(axis=2), X.shape[:2], axes=(0, 1))
