# /// row
# summary = "Task 1: by FFT, the result left complex"
# [loses.task1_convolution_tests]
# "The task's three cases" = "complex"
# "Random reals, float64 too" = "complex"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "complex"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, _ = X.shape
    k = K.shape[0]
    FX = np.fft.fft2(X, axes=(0, 1))
    FK = np.conj(np.fft.fft2(K, (h, w), axes=(0, 1)))
    wynik = np.fft.ifft2(np.einsum("ijd,ijdq->ijq", FX, FK), axes=(0, 1))
    return wynik[:h - k + 1, :w - k + 1]
