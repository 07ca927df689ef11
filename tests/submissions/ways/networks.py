"""Seven networks written rightly in many ways: code for `task3_model`, the models by name, and a fitting `cam`."""

from dataclasses import dataclass

NAMES = ("baseline", "max_pool", "avg_pool", "gap", "regularized", "deep", "custom")


@dataclass(frozen=True)
class Networks:
    """Code that defines networks, the expressions that make the seven, and the code of `cam` with its drawing."""

    code: str
    made: tuple[str, ...]
    cam: str

    @property
    def by_name(self) -> dict[str, str]:
        """The expressions by the models' names."""
        return dict(zip(NAMES, self.made, strict=True))


BY_HOOK = """
def cam(model, image, class_index):
    zapis = []
    uchwyt = LAST(model).register_forward_hook(lambda m, wej, wyj: zapis.append(wyj))
    try:
        model.eval()
        with torch.no_grad():
            model(image[None].to(DEVICE))
    finally:
        uchwyt.remove()
    wagi = HEAD(model).weight[class_index]
    return (wagi[:, None, None] * zapis[-1][0]).sum(0).detach().cpu().numpy()
"""
GRAD_CAM = """
def cam(model, image, class_index):
    # Grad-CAM: dla GAP i jednej warstwy liniowej gradient jest proporcjonalny do wag
    model.eval()
    zapis = {}
    h = LAST(model).register_forward_hook(lambda m, wej, wyj: zapis.update(mapa=wyj))
    wynik = model(image.unsqueeze(0).to(DEVICE))[0, class_index]
    h.remove()
    gradient, = torch.autograd.grad(wynik, zapis["mapa"])
    mapa = F.relu((gradient.mean((2, 3), keepdim=True) * zapis["mapa"]).sum(1, keepdim=True))
    mapa = F.interpolate(mapa, size=image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    return (mapa / (mapa.max() + 1e-8)).detach().cpu()
"""


def hooked(cam: str, last: str, head: str) -> str:
    """Return `cam` for a model whose last maps and linear layer these expressions give."""
    return cam.replace("LAST(model)", last).replace("HEAD(model)", head)


FACTORY = Networks(
    """
def siec(pool=None, gap=False, reg=(), wiecej=(), **opcje):
    # fabryka: lista warstw, potem Sequential
    warstwy = [nn.Conv2d(IMAGE_SHAPE[0], 12, 3, **opcje), nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    warstwy += [nn.Conv2d(12, 24, 3, **opcje), *[r(24) for r in reg], nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    for a, b in zip([24, *wiecej], wiecej):
        warstwy += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
    warstwy += [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()] if gap else [nn.Flatten()]
    model = nn.Sequential(*warstwy, nn.LazyLinear(10))
    model(torch.zeros(1, *IMAGE_SHAPE))
    return model.to(DEVICE)
""",
    (
        "siec()",
        "siec(nn.MaxPool2d)",
        "siec(nn.AvgPool2d)",
        "siec(nn.MaxPool2d, gap=True)",
        "siec(nn.MaxPool2d, True, [nn.BatchNorm2d])",
        "siec(nn.MaxPool2d, True, [nn.BatchNorm2d], [16, 24])",
        "siec(nn.MaxPool2d, True, [nn.BatchNorm2d], [16], padding=2, dilation=2)",
    ),
    """
def cam(model, image, class_index):
    # odcinam głowicę: wszystko przed GAP
    warstwy = list(model.children())
    gdzie = next(i for i, w in enumerate(warstwy) if isinstance(w, nn.AdaptiveAvgPool2d))
    mapy = nn.Sequential(*warstwy[:gdzie]).eval()(image[None].to(DEVICE))[0]
    return torch.tensordot(warstwy[-1].weight[class_index], mapy, dims=1).detach()
""",
)
MODULE_DICT = Networks(
    """
class Siec(nn.Module):
    def __init__(self, filtry=(8, 12), pool=None, gap=False, bn=False, **kw):
        super().__init__()
        self.bloki = nn.ModuleDict()
        kanaly = IMAGE_SHAPE[0]
        for nr, f in enumerate(filtry):
            blok = {"conv": nn.Conv2d(kanaly, f, 3, **kw), "act": nn.ELU()}
            if bn:
                blok["bn"] = nn.BatchNorm2d(f, track_running_stats=False)
            self.bloki[f"blok{nr}"] = nn.ModuleDict(blok)
            kanaly = f
        self.pool, self.gap = pool, gap
        self.glowa = nn.LazyLinear(10)
        self.forward(torch.zeros(2, *IMAGE_SHAPE))

    def forward(self, x):
        for nr, blok in enumerate(self.bloki.values()):
            x = blok["act"](blok["conv"](x))
            x = blok["bn"](x) if "bn" in blok else x
            if self.pool is not None and nr < 2:
                x = self.pool(x, kernel_size=2)
        self.ostatnia = x
        if self.gap:
            x = F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)
        return self.glowa(torch.flatten(x, 1))
""",
    (
        "Siec()",
        "Siec(pool=F.max_pool2d)",
        "Siec(pool=F.avg_pool2d)",
        "Siec(pool=F.max_pool2d, gap=True)",
        "Siec(pool=F.max_pool2d, gap=True, bn=True)",
        "Siec((8, 12, 16), pool=F.max_pool2d, gap=True, bn=True)",
        "Siec((8, 12), gap=True, bn=True, stride=2, dilation=2)",
    ),
    """
@torch.no_grad()
def cam(model, image, class_index):
    model.eval()
    model(image[None].to(DEVICE))
    mapy = model.ostatnia[0].cpu()
    return sum(w * m for w, m in zip(model.glowa.weight[class_index].cpu(), mapy)).numpy()
""",
)
INHERITED = Networks(
    """
class Bazowa(nn.Module):
    kanaly, pool, wejscia = (IMAGE_SHAPE[0], 8, 16), nn.Identity(), None

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([self.konwolucja(a, b) for a, b in zip(self.kanaly, self.kanaly[1:])])
        self.regularyzacja = nn.Identity()
        self.klasyfikator = nn.LazyLinear(10)

    def konwolucja(self, a, b):
        return nn.Conv2d(a, b, kernel_size=3)

    def cechy(self, x):
        for nr, conv in enumerate(self.convs):
            x = torch.relu_(conv(x))
            x = self.pool(x) if nr < 2 else x
        return self.regularyzacja(x)

    def wektor(self, x):
        return x.view(x.size(0), -1)

    def forward(self, x):
        return self.klasyfikator(self.wektor(self.cechy(x)))

class Max(Bazowa):
    pool = nn.MaxPool2d(3, stride=2)

class Avg(Bazowa):
    pool = nn.AvgPool2d(3, stride=2)

class Gap(Max):
    def wektor(self, x):
        return x.mean(dim=[-2, -1])

class ZDropoutem(Gap):
    def __init__(self):
        super().__init__()
        self.regularyzacja = nn.Dropout2d(0.15)

class Gleboka(ZDropoutem):
    kanaly = (IMAGE_SHAPE[0], 8, 16, 16)

class Wlasna(ZDropoutem):
    def konwolucja(self, a, b):
        return nn.Conv2d(a, b, 3, padding=1, stride=2 if a == IMAGE_SHAPE[0] else 1)
    pool = nn.MaxPool2d(2)
""",
    ("Bazowa()", "Max()", "Avg()", "Gap()", "ZDropoutem()", "Gleboka()", "Wlasna()"),
    hooked(GRAD_CAM, "model.regularyzacja", "model.klasyfikator"),
)
RESIDUAL = Networks(
    """
class Blok(nn.Module):
    def __init__(self, a, b, bn=False, **kw):
        super().__init__()
        self.c1 = nn.Conv2d(a, b, 3, **({"padding": "same"} | kw))
        self.c2 = nn.Conv2d(b, b, 3, padding="same", bias=not bn)
        self.bn = nn.BatchNorm2d(b) if bn else nn.Identity()

    def forward(self, x):
        x = F.leaky_relu(self.c1(x), 0.1)
        y = self.bn(self.c2(x))
        y += x  # połączenie rezydualne, w miejscu
        return F.leaky_relu(y, 0.1)

class ResSiec(nn.Module):
    def __init__(self, *bloki, pool=None, gap=False, drop=0.0):
        super().__init__()
        self.bloki = nn.Sequential(*bloki)
        self.pool, self.gap, self.drop = pool, gap, drop
        self.drop2d = nn.Dropout2d(drop)
        self.fc = nn.LazyLinear(10)

    def forward(self, x):
        for blok in self.bloki:
            x = blok(x)
            if self.pool is not None:
                x = self.pool(x)
        if self.training and self.drop > 0:
            x = self.drop2d(x)
        x = torch.einsum("bchw->bc", x) / x[0, 0].numel() if self.gap else x.reshape(len(x), -1)
        return F.log_softmax(self.fc(x), dim=-1)
""",
    (
        "ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8))",
        "ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.MaxPool2d(2))",
        "ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.AvgPool2d(2))",
        "ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.MaxPool2d(2), gap=True)",
        "ResSiec(Blok(IMAGE_SHAPE[0], 6), Blok(6, 8), pool=nn.MaxPool2d(2), gap=True, drop=0.1)",
        "ResSiec(Blok(IMAGE_SHAPE[0], 6, True), Blok(6, 8, True), Blok(8, 12, True), pool=nn.MaxPool2d(2), gap=True, drop=0.1)",
        "ResSiec(Blok(IMAGE_SHAPE[0], 6, padding=3, dilation=3), Blok(6, 8), pool=nn.MaxPool2d(2), gap=True)",
    ),
    """
def cam(model, image, class_index):
    zapis = []
    uchwyty = [blok.register_forward_hook(lambda m, wej, wyj: zapis.append(wyj.detach())) for blok in model.bloki]
    model.eval()
    model(image[None])
    [u.remove() for u in uchwyty]
    mapy = model.pool(zapis[-1])[0] if model.pool is not None else zapis[-1][0]
    heat = (model.fc.weight[class_index].detach() @ mapy.flatten(1)).reshape(mapy.shape[1:])
    return (heat - heat.min()) / (heat.max() - heat.min())
""",
)
WARM = Networks(
    """
def konw(a, b, **kw):
    return nn.Sequential(nn.Conv2d(a, b, 3, **kw), nn.SiLU())

class Modul(nn.Module):
    def __init__(self, czesci, pool=None, gap=False, bn=None, poprzedni=None, zamroz=False):
        super().__init__()
        self.czesci, self.pool, self.gap, self.bn = nn.ModuleList(czesci), pool, gap, bn
        self.out = nn.LazyLinear(10)
        self(torch.zeros(2, *IMAGE_SHAPE))
        if poprzedni is not None:  # start z wag poprzedniej sieci, gdzie kształty się zgadzają
            stare = poprzedni.state_dict()
            moje = self.state_dict()
            pasuje = {k: v.clone() for k, v in stare.items() if k in moje and moje[k].shape == v.shape}
            self.load_state_dict(moje | pasuje)
        if zamroz:  # pierwsza konwolucja uczy się dopiero od drugiej epoki
            self.czesci[0].requires_grad_(False)

    def mapy(self, x):
        x = self.czesci[0](x)
        x = self.pool(x) if self.pool else x
        x = self.bn(x) if self.bn else x
        for czesc in self.czesci[1:]:
            x = czesc(x)
        return self.pool(x) if self.pool else x

    def forward(self, x):
        x = self.mapy(x)
        return self.out(F.avg_pool2d(x, x.shape[2:]).flatten(1) if self.gap else x.flatten(1))

C = IMAGE_SHAPE[0]
""",
    (
        "Modul([konw(C, 8), konw(8, 16)])",
        "Modul([konw(C, 8), konw(8, 16)], nn.MaxPool2d(2), poprzedni=models['baseline'], zamroz=True)",
        "Modul([konw(C, 8), konw(8, 16)], nn.AvgPool2d(2))",
        "Modul([konw(C, 8), konw(8, 16)], nn.MaxPool2d(2), True, poprzedni=models['max_pool'])",
        "Modul([konw(C, 8), konw(8, 16)], nn.MaxPool2d(2), True, nn.BatchNorm2d(8), models['gap'], True)",
        "Modul([konw(C, 8), konw(8, 16, padding=1), konw(16, 16, padding=1)], nn.MaxPool2d(2), True, nn.BatchNorm2d(8))",
        "Modul([konw(C, 8, stride=(2, 1)), konw(8, 16, padding=(1, 2))], nn.MaxPool2d(2), True, nn.BatchNorm2d(8))",
    ),
    """
models["cam"] = models["deep"]

def cam(model, image, class_index):
    with torch.inference_mode():
        mapy = model.eval().mapy(image.to(DEVICE)[None])
        # ostatnia warstwa jako konwolucja 1x1
        wynik = F.conv2d(mapy, model.out.weight[class_index][None, :, None, None])
        return F.interpolate(wynik, size=tuple(image.shape[1:]), mode="bicubic")[0, 0].cpu()
""",
)
ALL = {"factory": FACTORY, "dict": MODULE_DICT, "inherited": INHERITED, "residual": RESIDUAL, "warm": WARM}
