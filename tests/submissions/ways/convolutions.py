"""Task 1 written rightly in many ways, each as a student may write it; a key that begins with `+` adds a cell before another."""

FLOAT32_INSIDE = """
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X).float(), torch.as_tensor(K).float()
    k = K.shape[0]
    h, w, _ = X.shape
    M = torch.zeros(h - k + 1, w - k + 1, q)
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            okno = X[i:i + k, j:j + k]
            for f in range(q):
                M[i, j, f] = (okno * K[..., f]).sum()
    return M
"""
SIX_LOOPS = """
def convolution(X, K, q: int):
    # najprostsza wersja: same listy i liczby Pythona
    x, filtry = X.tolist(), K.tolist()
    h, w, d, k = len(x), len(x[0]), len(x[0][0]), len(filtry)
    M = np.zeros((h - k + 1, w - k + 1, q))
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            for f in range(q):
                suma = 0
                for a in range(k):
                    for b in range(k):
                        for c in range(d):
                            suma += x[i + a][j + b][c] * filtry[a][b][c][f]
                M[i, j, f] = suma
    return M
"""
WINDOWS = """
def convolution(X, K, q: int):
    okna = np.lib.stride_tricks.sliding_window_view(np.asarray(X, dtype=np.float32), K.shape[:2], axis=(0, 1))
    return np.einsum("ijcab,abcf->ijf", okna, np.asarray(K, dtype=np.float32), optimize=True)
"""
STRIDES = """
def convolution(X, K, q: int):
    X, K = np.ascontiguousarray(X), np.asarray(K)
    k, (h, w, d), (s0, s1, s2) = K.shape[0], X.shape, X.strides
    okna = np.lib.stride_tricks.as_strided(X, (h - k + 1, w - k + 1, k, k, d), (s0, s1, s0, s1, s2), writeable=False)
    return np.tensordot(okna, K, axes=3)
"""
IM2COL = """
def im2col(X, k):
    h, w, d = X.shape
    wiersze = [X[i:i + k, j:j + k].ravel() for i in range(h - k + 1) for j in range(w - k + 1)]
    return np.stack(wiersze)

def convolution(X, K, q: int):
    X, K = np.array(X), np.array(K)
    k = len(K)
    return np.dot(im2col(X, k), K.reshape(-1, q)).reshape(X.shape[0] - k + 1, -1, q)
"""
FFT = """
def convolution(X, K, q: int):
    # korelacja to mnożenie widm, z jednym sprzężonym
    X, K = torch.as_tensor(X).double(), torch.as_tensor(K).double()
    k, rozmiar = K.shape[0], X.shape[:2]
    widmo = torch.fft.fft2(X, dim=(0, 1))[..., None] * torch.fft.fft2(K, s=rozmiar, dim=(0, 1)).conj()
    M = torch.fft.ifft2(widmo.sum(dim=2), dim=(0, 1)).real
    return M[:rozmiar[0] - k + 1, :rozmiar[1] - k + 1]
"""
SHIFTS = """
from itertools import product

def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q), dtype=np.result_type(X, K))
    for a, b in product(range(k), repeat=2):
        M += np.matmul(X[a:a + h, b:b + w], K[a, b])
    return M
"""
BIG_MATRIX = """
def convolution(X, K, q: int):
    # jedna duża macierz (jak w warstwie liniowej): wiersz na każdą wartość wyniku
    X, K = np.asarray(X, dtype=float), np.asarray(K, dtype=float)
    (h, w, d), k = X.shape, K.shape[0]
    macierz = np.zeros((h - k + 1, w - k + 1, q, h, w, d))
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            macierz[i, j, :, i:i + k, j:j + k] = np.moveaxis(K, -1, 0)
    return (macierz.reshape(-1, h * w * d) @ X.reshape(-1)).reshape(h - k + 1, w - k + 1, q)
"""
RECURSION = """
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    if q > 1:  # filtry po kolei, rekurencyjnie
        return torch.cat([convolution(X, K[..., :1], 1), convolution(X, K[..., 1:], q - 1)], dim=-1)
    k = K.size(0)
    okna = X.unfold(0, k, 1).unfold(1, k, 1)
    return (okna * K[..., 0].permute(2, 0, 1)).sum(dim=(2, 3, 4)).unsqueeze(-1)
"""
STATEFUL = """
class Konwolucja:
    def __init__(self, filtry):
        self.filtry = np.asarray(filtry)
        self.k = self.filtry.shape[0]

    def okno(self, i, j):
        return self.obraz[i:i + self.k, j:j + self.k]

    def __call__(self, obraz):
        self.obraz = np.asarray(obraz)
        h, w = (n - self.k + 1 for n in self.obraz.shape[:2])
        return np.array([[np.einsum("abc,abcf->f", self.okno(i, j), self.filtry) for j in range(w)] for i in range(h)])

def convolution(X, K, q: int):
    return Konwolucja(K)(X)
"""
INDICES = """
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    i = torch.arange(X.shape[0] - k + 1)[:, None] + torch.arange(k)  # (h', k)
    j = torch.arange(X.shape[1] - k + 1)[:, None] + torch.arange(k)
    okna = X[i[:, None, :, None], j[None, :, None, :]]  # (h', w', k, k, d)
    return torch.einsum("hwabc,abcf->hwf", okna, K)
"""
TORCH_ONLY = """
def convolution(X: torch.Tensor, K: torch.Tensor, q: int) -> torch.Tensor:
    if not torch.is_tensor(X):
        raise TypeError("działam tylko na tensorach")
    k = K.size(0)
    kolumny = F.unfold(X.permute(2, 0, 1).unsqueeze(0).float(), kernel_size=k)[0]
    wagi = K.permute(3, 2, 0, 1).flatten(1).float()
    return (wagi @ kolumny).view(q, X.size(0) - k + 1, -1).permute(1, 2, 0)
"""
NDINDEX = """
def convolution(X, K, q: int):
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    M = np.empty((X.shape[0] - k + 1, X.shape[1] - k + 1, q))
    for i, j, f in np.ndindex(*M.shape):
        M[i, j, f] = np.vdot(X[i:i + k, j:j + k], K[:, :, :, f])
    assert M.shape[2] == q
    return M
"""
ROWS = """
def convolution(X, K, q: int):
    # wiersz wyniku jako funkcja lokalna
    X, K = np.asarray(X), np.asarray(K)
    k = K.shape[0]
    szer = X.shape[1] - k + 1
    def wiersz(i):
        pas = X[i:i + k]
        return sum(np.tensordot(pas[:, b:b + szer], K[:, b], axes=([0, 2], [0, 1])) for b in range(k))
    return np.stack(list(map(wiersz, range(X.shape[0] - k + 1))))
"""

MATRIX = """
def convolution_matrix(X, K, q: int):
    X, K = torch.as_tensor(X), torch.as_tensor(K)
    k = K.shape[0]
    kolumny = F.unfold(X.permute(2, 0, 1)[None].double(), k)[0].T
    return (kolumny @ K.permute(2, 0, 1, 3).reshape(-1, q).double()).reshape(X.shape[0] - k + 1, X.shape[1] - k + 1, q)
"""
SAME = """
def convolution_same(X, K, q: int):
    p = (K.shape[0] - 1) // 2
    ramka = np.zeros((X.shape[0] + 2 * p, X.shape[1] + 2 * p, X.shape[2]))
    ramka[p:p + X.shape[0], p:p + X.shape[1]] = X
    return np.asarray(convolution(ramka, np.asarray(K), q))
"""
TASK_2 = {
    "task2_case_1": "case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)",
    "task2_case_2": "case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)",
    "task2_case_3": "k = 3\ncase_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)",
}


def solved(code: str, **more: str) -> dict[str, str]:
    """Return Tasks 1 and 2 done, Task 1 by this code, and more cells."""
    return {"task1_convolution": code} | TASK_2 | more


ONLY_TASKS_1_2 = {
    "float32 inside": solved(FLOAT32_INSIDE),
    "six loops": solved(SIX_LOOPS),
    "windows": solved(WINDOWS, task1_matrix=MATRIX),
    "strides": solved(STRIDES, task1_same=SAME),
    "im2col": solved(
        IM2COL, **{"+task1_convolution": "%matplotlib inline\n%config InlineBackend.figure_format = 'png'"}
    ),
    "fft": solved(FFT, task1_matrix=MATRIX),
    "shifts": solved(f"gpu = !nvidia-smi\nprint(gpu[:1])\n{SHIFTS}"),
    "big matrix": solved(BIG_MATRIX),
    "recursion": solved(f"%%time\n{RECURSION.strip()}"),
    "class with state": solved(STATEFUL, task1_same=SAME),
    "indices": solved(
        INDICES, **{"+task1_matrix": "%%timeit -n 1 -r 1\nconvolution(torch.rand(9, 9, 3), torch.rand(3, 3, 3, 2), 2)"}
    ),
    "torch only": solved(TORCH_ONLY),
    "ndindex": solved(NDINDEX, **{"+task2_case_1": "%%bash\necho gotowe"}),
    "rows, and a first try replaced": solved(
        ROWS,
        **{
            "+task1_convolution": """
# pierwsza próba, tylko dla porównania
def convolution(X, K, q):
    return F.conv2d(X.permute(2, 0, 1)[None], K.permute(3, 2, 0, 1))[0].permute(1, 2, 0)
"""
        },
    ),
}
"""Submissions of Tasks 1 and 2 alone."""
