"""Task 1 written in many ways: right ones, and wrong ones by the mistake they make."""

LOOPS = """
def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q))
    for i in range(h):
        for j in range(w):
            for f in range(q):
                M[i, j, f] = np.sum(X[i:i + k, j:j + k] * K[..., f])
    return M
"""

RIGHT_WAYS = {
    "plain loops over NumPy": LOOPS,
    "strides and einsum": """
def convolution(X, K, q):
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(X), K.shape[:2], axis=(0, 1))
    return np.einsum("ijdab,abdq->ijq", windows, np.asarray(K))
""",
    "unfold and matmul": """
def convolution(X, K, q):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    columns = F.unfold(X.permute(2, 0, 1)[None], k)[0]
    weights = K.permute(3, 2, 0, 1).reshape(q, -1)
    return (weights @ columns).reshape(q, X.shape[0] - k + 1, X.shape[1] - k + 1).permute(1, 2, 0)
""",
    "Fourier transform": """
def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k, size = K.shape[0], X.shape[:2]
    product = np.fft.rfft2(X, axes=(0, 1))[..., None] * np.conj(np.fft.rfft2(K, size, axes=(0, 1)))
    full = np.fft.irfft2(product.sum(2), size, axes=(0, 1))
    return full[:size[0] - k + 1, :size[1] - k + 1]
""",
    "shifting and adding": """
def convolution(X, K, q):
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    return sum(X[a:a + h, b:b + w] @ K[a, b] for a in range(k) for b in range(k))
""",
    "torch only": """
def convolution(X, K, q):
    assert isinstance(X, torch.Tensor)
    k = K.size(0)
    M = torch.zeros(X.size(0) - k + 1, X.size(1) - k + 1, q, dtype=X.dtype)
    for i in range(M.size(0)):
        for j in range(M.size(1)):
            M[i, j] = torch.tensordot(X[i:i + k, j:j + k], K, dims=3)
    return M
""",
    "a helper, and a check against F.conv2d beside it": """
def window(X, i, j, k):
    return X[i:i + k, j:j + k]

def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    out = [[(window(X, i, j, k)[..., None] * K).sum((0, 1, 2)) for j in range(X.shape[1] - k + 1)]
           for i in range(X.shape[0] - k + 1)]
    return np.array(out)

out = F.conv2d(torch.zeros(1, 1, 5, 5), torch.zeros(1, 1, 3, 3))
""",
}

WRONG_WAYS = {
    "rotated by 180°": LOOPS.replace("K[..., f]", "K[::-1, ::-1, :, f]"),
    "height and width are swapped": LOOPS.replace("K[..., f]", "K[..., f].transpose(1, 0, 2)"),
    "Height and width are swapped.": LOOPS.replace("return M", "return M.transpose(1, 0, 2)"),
    "not summed": """
def convolution(X, K, q):
    windows = np.lib.stride_tricks.sliding_window_view(np.asarray(X), K.shape[:2], axis=(0, 1))
    return np.einsum("ijdab,abdq->ijdq", windows, np.asarray(K))
""",
    "axes are mixed up": LOOPS.replace(
        "k = K.shape[0]", "k = K.shape[0]; K = K.reshape(k, k, q, -1).transpose(0, 1, 3, 2)"
    ),
    "should come last": LOOPS.replace("return M", "return M.transpose(2, 0, 1)"),
    "off by one": LOOPS.replace("X.shape[0] - k + 1", "X.shape[0] - k"),
    "truncated to integers": LOOPS.replace("np.zeros((h, w, q))", "np.zeros((h, w, q), dtype=int)"),
    "first channel": LOOPS.replace("X[i:i + k, j:j + k] * K[..., f]", "X[i:i + k, j:j + k, 0] * K[:, :, 0, f]"),
    "last row is missing": LOOPS.replace("for i in range(h)", "for i in range(h - 1)"),
    "last column is missing": LOOPS.replace("for j in range(w)", "for j in range(w - 1)"),
    "last row and column": LOOPS.replace("in range(h)", "in range(h - 1)").replace("in range(w)", "in range(w - 1)"),
    "all zeros": LOOPS.replace("M[i, j, f] =", "value ="),
    "NoneType": LOOPS.replace("return M", "M"),
    "NaN": LOOPS.replace("return M", "return M * np.nan"),
    "mean over channels": LOOPS.replace("return M", "return M / X.shape[2]"),
}
