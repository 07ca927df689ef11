"""Task 4's seven models as students write them, in several styles; untrained: what is tested is how they are read."""

NET = """
class Net(nn.Module):
    def __init__(self, filters=(4, 6), pool=None, gap=False, norm=False, hidden=None, act=F.relu, **options):
        super().__init__()
        self.pool, self.gap, self.act = pool, gap, act
        channels = [1, *filters]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, **options) for a, b in zip(channels, channels[1:]))
        self.norms = nn.ModuleList(nn.BatchNorm2d(b) if norm else nn.Identity() for b in filters)
        self.hidden = nn.LazyLinear(hidden) if hidden else nn.Identity()
        self.out = nn.LazyLinear(10)

    def maps(self, x):
        for i, (conv, norm) in enumerate(zip(self.convs, self.norms)):
            x = norm(self.act(conv(x)))
            if self.pool and i < 2:
                x = self.pool(x, 2)
        return x

    def head(self, x):
        return x.mean((2, 3)) if self.gap else x.flatten(1)

    def forward(self, x):
        return self.out(self.hidden(self.head(self.maps(x))))
"""

READY = """
def ready(model):
    with torch.no_grad():
        model.train()(torch.rand(8, 1, 28, 28))  # moves the statistics of batch norms, as training does
    return model.eval()
"""

MODELS = {
    "baseline": "Net()",
    "max_pool": "Net(pool=F.max_pool2d)",
    "avg_pool": "Net(pool=F.avg_pool2d)",
    "gap": "Net(pool=F.max_pool2d, gap=True)",
    "regularized": "Net(pool=F.max_pool2d, gap=True, norm=True)",
    "deep": "Net((4, 6, 8), pool=F.max_pool2d, gap=True, norm=True)",
    "custom": "Net((4, 6, 8), pool=F.max_pool2d, gap=True, norm=True, padding=1, dilation=2)",
}


def kept(models: dict[str, str], put: str = "keep") -> str:
    """Return the code that stores these models."""
    return "".join(f'\n{put}("{name}", {model})' for name, model in models.items())


ONE_CLASS = NET + kept(MODELS)

SEQUENTIAL = """
def build(pool=None, extra=(), head=None, last=6, second=(6, 3)):
    pools = [pool] if pool else []
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), *pools, nn.ReLU(), nn.Conv2d(4, second[0], second[1]), nn.ReLU(), *extra, *pools,
        *(head or [nn.Flatten()]), nn.LazyLinear(10),
    )

def gap():
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten()]

keep("baseline", build())
keep("max_pool", build(nn.MaxPool2d(2)))
keep("avg_pool", build(nn.AvgPool2d(3, stride=2, padding=1)))
keep("gap", build(nn.MaxPool2d(2), head=gap()))
keep("regularized", build(nn.MaxPool2d(2), [nn.Dropout2d(0.2)], gap()))
keep("deep", build(nn.MaxPool2d(2), [nn.Dropout2d(0.2), nn.Conv2d(6, 6, 1), nn.ReLU()], gap()))
keep("custom", nn.Sequential(
    nn.Conv2d(1, 4, 5, stride=2), nn.ReLU(), nn.Conv2d(4, 8, 3, padding="same"), nn.ReLU(), *gap(), nn.Linear(8, 10)))
"""

RESIDUAL = """
class Block(nn.Module):
    def __init__(self, into, out, **options):
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, **({"padding": 1} | options))
        self.same = nn.Conv2d(out, out, 3, padding=1, bias=False)
    def forward(self, x):
        x = F.leaky_relu(self.conv(x), 0.1)
        return F.leaky_relu(x + self.same(x), 0.1)

class ResNet(nn.Module):
    def __init__(self, blocks, pool=nn.Identity(), average=False, drop=0.0, hidden=8):
        super().__init__()
        self.blocks, self.pool, self.average = nn.ModuleList(blocks), pool, average
        self.drop = nn.Dropout2d(drop)
        self.classifier = nn.Sequential(nn.LazyLinear(hidden), nn.ReLU(), nn.Linear(hidden, 10))
    def forward(self, x):
        for block in self.blocks:
            x = self.pool(block(x))
        if self.training and self.drop.p:
            x = self.drop(x)
        if self.average:
            x = F.avg_pool2d(x, kernel_size=x.size()[2:])
        return F.log_softmax(self.classifier(x.view(x.size(0), -1)), dim=1)

keep("baseline", ResNet([Block(1, 4), Block(4, 4)]))
keep("max_pool", ResNet([Block(1, 4), Block(4, 4)], nn.MaxPool2d(3, 2)))
keep("avg_pool", ResNet([Block(1, 4), Block(4, 4)], nn.AvgPool2d(3, 2)))
keep("gap", ResNet([Block(1, 4), Block(4, 4)], nn.MaxPool2d(3, 2), True))
keep("regularized", ResNet([Block(1, 4), Block(4, 4)], nn.MaxPool2d(3, 2), True, 0.2))
keep("deep", ResNet([Block(1, 4), Block(4, 6), Block(6, 8)], nn.MaxPool2d(3, 2), True, 0.2))
keep("custom", ResNet([Block(1, 4, dilation=(2, 1)), Block(4, 6)], nn.MaxPool2d(3, 2), True, 0.2))
"""

FUNCTIONAL = """
class Free(nn.Module):
    def __init__(self, kind="flat", pool=None, p=0.0, bn=False, more=False, stride=1, mode="zeros", pad=0):
        super().__init__()
        self.kind, self.pool, self.p = kind, pool, p
        self.a = nn.Conv2d(1, 4, 3, padding="same")
        self.b = nn.Conv2d(4, 4, 3, stride, pad, padding_mode=mode)
        self.c = nn.Conv2d(4, 4, 3) if more else None
        self.norm = nn.BatchNorm2d(4) if bn else None
        self.out = nn.LazyLinear(10)
    def shrink(self, x):
        return self.pool(x, 2) if self.pool else x
    def forward(self, x):
        x = self.shrink(self.a(x)).clamp(min=0)
        x = self.b(x)
        x = torch.relu(self.norm(x) if self.norm else x)
        x = F.dropout2d(x, self.p, self.training) if self.p else x
        x = torch.relu(self.c(x)) if self.c else x
        if self.kind == "sum":
            x = x.sum((2, 3)) / (x.shape[2] * x.shape[3])
        elif self.kind == "twice":
            x = x.mean(3, keepdim=True).mean(2, keepdim=True).squeeze()
        elif self.kind == "last":
            x = x.permute(0, 2, 3, 1).mean(dim=(1, 2))
        elif self.kind == "line":
            x = F.adaptive_avg_pool1d(x.flatten(2), 1)[..., 0]
        return self.out(x.reshape(len(x), -1))

keep("baseline", Free())
keep("max_pool", Free(pool=F.max_pool2d))
keep("avg_pool", Free(pool=F.avg_pool2d))
keep("gap", Free("sum", F.max_pool2d))
keep("regularized", Free("twice", F.max_pool2d, p=0.3, bn=True))
keep("deep", Free("last", F.max_pool2d, p=0.3, bn=True, more=True))
keep("custom", Free("line", F.max_pool2d, stride=2, mode="reflect", pad=1))
"""

ATTENTIVE = """
class Squeeze(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.one, self.two = nn.Linear(channels, 2), nn.Linear(2, channels)
    def forward(self, x):
        return x * torch.sigmoid(self.two(F.relu(self.one(x.mean((2, 3))))))[:, :, None, None]

class Attentive(Net):
    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.squeeze = Squeeze(self.convs[0].out_channels)
    def maps(self, x):
        first, second, *more = self.convs
        x = self.squeeze(F.relu(first(x)))
        x = self.pool(x, 2) if self.pool else x
        x = self.norms[1](F.relu(second(x)))
        for conv in more:
            x = F.relu(conv(x))
        return x
"""

RIGHT_STUDENTS = {
    "one parametrised class": ONE_CLASS,
    "Sequential, pooling before the activation": SEQUENTIAL,
    "residual blocks, dropout only under `if self.training`": RESIDUAL,
    "functional calls, averaging in other words": FUNCTIONAL,
    "squeeze and excitation": NET + ATTENTIVE + kept(MODELS).replace("Net(", "Attentive("),
}
