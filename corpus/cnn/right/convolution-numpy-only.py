# /// row
# summary = "Task 1: NumPy only, tensors raise; np.apply_along_axis over flattened windows"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = X.astype(np.float64), K.astype(np.float64)  # działa na tablicach NumPy
    h, w, d = X.shape
    k = K.shape[0]
    okna = np.array([X[i:i + k, j:j + k].flatten() for i in range(h - k + 1) for j in range(w - k + 1)])
    filtry = K.reshape(k * k * d, q)
    mapy = np.apply_along_axis(lambda okno: okno @ filtry, 1, okna)
    return mapy.reshape(h - k + 1, w - k + 1, q)
