# /// row
# summary = "Task 1: by FFT, without the conjugate, so a true convolution"
# [loses.task1_convolution_tests]
# "Random reals, float64 too" = "rotated by 180°"
# "Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image" = "rotated by 180°"
# "The inputs are left unchanged" = "counts only once"
# "An implementation of one's own" = "counts only once"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X, dtype=float), np.asarray(K, dtype=float)
    h, w, d = X.shape
    k = K.shape[0]
    widmo_X = np.fft.fft2(X, axes=(0, 1))
    widmo_K = np.fft.fft2(K, (h, w), axes=(0, 1))
    pelny = np.fft.ifft2((widmo_X[..., None] * widmo_K).sum(2), axes=(0, 1)).real
    return pelny[k - 1:, k - 1:]
