# /// row
# summary = "Task 1: Fourier transform"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k, size = K.shape[0], X.shape[:2]
    product = np.fft.rfft2(X, axes=(0, 1))[..., None] * np.conj(np.fft.rfft2(K, size, axes=(0, 1)))
    full = np.fft.irfft2(product.sum(2), size, axes=(0, 1))
    return full[:size[0] - k + 1, :size[1] - k + 1]
