# /// row
# summary = "Task 1: a module of one's own that is called Conv2d; a subclass pads for the bonus"
# right = ["task1_convolution_tests", "task1_same_tests"]
# ///

# %% task1_convolution
class Conv2d(nn.Module):
    def __init__(self, filtry):
        super().__init__()
        self.register_buffer("filtry", torch.as_tensor(filtry))

    def forward(self, obraz):
        k, _, _, q = self.filtry.shape
        h, w = obraz.shape[0] - k + 1, obraz.shape[1] - k + 1
        mapy = []
        for f in range(q):
            mapa = torch.zeros(h, w, dtype=obraz.dtype)
            for a in range(k):
                for b in range(k):
                    mapa += (obraz[a:a + h, b:b + w] * self.filtry[a, b, :, f]).sum(dim=-1)
            mapy.append(mapa)
        return torch.stack(mapy, dim=-1)


def convolution(X, K, q: int):
    return Conv2d(K)(torch.as_tensor(X))

# %% task1_same
class Conv2dSame(Conv2d):
    def forward(self, obraz):
        p = self.filtry.shape[0] // 2
        return super().forward(F.pad(obraz, (0, 0, p, p, p, p)))


def convolution_same(X, K, q: int):
    return Conv2dSame(K)(torch.as_tensor(X))
