# /// row
# summary = "Task 1: np.correlate of the image as one long line with a kernel stretched to its width; bonus by Fourier"
# right = ["task1_convolution_tests", "task1_matrix_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    h, w, d = X.shape
    k = K.shape[0]
    M = np.zeros((h - k + 1, w - k + 1, q))
    for f in range(q):
        for c in range(d):
            # filtr z przerwami: kolejne wiersze co w elementów
            linia = np.zeros((k - 1) * w + k)
            for a in range(k):
                linia[a * w:a * w + k] = K[a, :, c, f]
            wynik = np.correlate(X[:, :, c].ravel(), linia, mode="valid")
            # na końcu brakuje k - 1 położeń, w których okno i tak przechodzi do następnego wiersza
            wynik = np.append(wynik, np.zeros(k - 1)).reshape(h - k + 1, w)
            M[:, :, f] += wynik[:, :w - k + 1]
    return M

# %% task1_matrix
def convolution_matrix(X, K, q: int):
    X, K = np.asarray(X, dtype=float), np.asarray(K, dtype=float)
    h, w, d = X.shape
    k = K.shape[0]
    fx = np.fft.fft2(X, axes=(0, 1))
    fk = np.fft.fft2(K, s=(h, w), axes=(0, 1))
    # dla każdej częstotliwości mnożenie (1, d) @ (d, q)
    iloczyn = fx[:, :, None, :] @ np.conj(fk)
    return np.fft.ifft2(iloczyn[:, :, 0, :], axes=(0, 1)).real[:h - k + 1, :w - k + 1]
