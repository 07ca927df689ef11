"""Task 4's seven models as students write them, in several styles; and what goes wrong in one of them at a time.

Untrained: what is tested with most of them is how their architecture is read. `FITTED` trains the ones that must be.
"""

from dataclasses import dataclass

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
        model.eval()(torch.zeros(2, 1, 28, 28))
    return model
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


@dataclass(frozen=True)
class Wrong:
    """One model of `ONE_CLASS` written otherwise, and what the message says of it."""

    model: str
    code: str
    said: str


def other(method: str, arguments: str) -> str:
    """Return the code of a `Net` with one method replaced."""
    return f"type('Other', (Net,), dict({method}))({arguments})"


POOLED = "pool=F.max_pool2d"
WRONG_WAYS = {
    "max: none": Wrong("max_pool", "Net()", "no nn.MaxPool2d"),
    "max: average for it": Wrong("max_pool", "Net(pool=F.avg_pool2d)", "no nn.MaxPool2d"),
    "max: the image, not its maps": Wrong(
        "max_pool", other("forward=lambda s, x: Net.forward(s, F.max_pool2d(x, 2))", ""), "no nn.MaxPool2d"
    ),
    "max: both kinds": Wrong(
        "max_pool", "Net(pool=lambda x, n: F.avg_pool2d(F.max_pool2d(x, n), 1))", "AvgPool2d as well"
    ),
    "max: other filters": Wrong("max_pool", f"Net((4, 8), {POOLED})", "but in Conv2d"),
    "max: another activation": Wrong("max_pool", f"Net({POOLED}, act=F.gelu)", "but in GELU, ReLU"),
    "max: averaged too": Wrong("max_pool", f"Net({POOLED}, gap=True)", "Flatten stays"),
    "max: no linear layer": Wrong(
        "max_pool",
        "nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 10, 13), nn.Flatten())",
        "no linear layer",
    ),
    "avg: maximum for it": Wrong("avg_pool", f"Net({POOLED})", "no nn.AvgPool2d"),
    "avg: computed, not used": Wrong(
        "avg_pool",
        other("maps=lambda s, x: (F.avg_pool2d(m := Net.maps(s, x), 2), m)[1]", ""),
        "no nn.AvgPool2d",
    ),
    "avg: a hidden layer more": Wrong("avg_pool", "Net(pool=F.avg_pool2d, hidden=5)", "but in Linear"),
    "avg: batch norm too": Wrong("avg_pool", "Net(pool=F.avg_pool2d, norm=True)", "but in BatchNorm2d"),
    "gap: flattened": Wrong("gap", f"Net({POOLED})", "not averaged"),
    "gap: to 2×2 pixels": Wrong(
        "gap", other("head=lambda s, x: F.adaptive_avg_pool2d(x, 2).flatten(1)", POOLED), "not averaged"
    ),
    "gap: maximum": Wrong("gap", other("head=lambda s, x: x.amax((2, 3))", POOLED), "not averaged"),
    "gap: over channels": Wrong("gap", other("head=lambda s, x: x.mean(1).flatten(1)", POOLED), "not averaged"),
    "gap: computed, not used": Wrong(
        "gap", other("head=lambda s, x: (x.mean((2, 3)), x.flatten(1))[1]", POOLED), "not averaged"
    ),
    "gap: pooling lost": Wrong("gap", "Net(gap=True)", "lost experiment 1's pooling"),
    "gap: other filters": Wrong("gap", f"Net((4, 8), {POOLED}, gap=True)", "1→4, 3×3; 4→8, 3×3"),
    "regularized: nothing new": Wrong("regularized", f"Net({POOLED}, gap=True)", "input to output."),
    "regularized: plain dropout": Wrong(
        "regularized",
        other("maps=lambda s, x: F.dropout(Net.maps(s, x), 0.2, s.training)", f"{POOLED}, gap=True"),
        "plain nn.Dropout",
    ),
    "regularized: batch norm of the classes": Wrong(
        "regularized", f"nn.Sequential(Net({POOLED}, gap=True), nn.BatchNorm1d(10))", "neither BatchNorm2d"
    ),
    "regularized: declared, not used": Wrong(
        "regularized", other("maps=lambda s, x: (s.norms[0], Net.maps(s, x))[1]", f"{POOLED}, gap=True"), "neither"
    ),
    "regularized: average pooling": Wrong(
        "regularized", "Net(pool=F.avg_pool2d, gap=True, norm=True)", "no max pooling"
    ),
    "regularized: flattened again": Wrong("regularized", f"Net({POOLED}, norm=True)", "not averaged"),
    "regularized: other filters": Wrong(
        "regularized", f"Net((5, 6), {POOLED}, gap=True, norm=True)", "leaves them as they are"
    ),
    "deep: as many": Wrong("deep", f"Net((8, 9), {POOLED}, gap=True, norm=True)", "has 2 convolutions"),
    "deep: fewer filters": Wrong("deep", f"Net((8, 6, 4), {POOLED}, gap=True, norm=True)", "has 4 filters"),
    "deep: max pooling lost": Wrong("deep", "Net((4, 6, 8), gap=True, norm=True)", "no max pooling"),
    "deep: averaging lost": Wrong("deep", f"Net((4, 6, 8), {POOLED}, norm=True)", "not averaged"),
    "deep: batch norm lost": Wrong("deep", f"Net((4, 6, 8), {POOLED}, gap=True)", "lost nn.BatchNorm2d"),
    "custom: nothing": Wrong("custom", "Net(gap=True)", "defaults: none."),
    "custom: padding alone": Wrong("custom", "Net(padding=1)", "defaults: padding."),
    "custom: same padding of one pixel": Wrong(
        "custom",
        "nn.Sequential(nn.Conv2d(1, 4, 1, padding='same', dilation=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))",
        "defaults: dilation.",
    ),
    "custom: pooling's own": Wrong(
        "custom",
        "Net((4, 4), pool=lambda x, n: F.max_pool2d(x, 3, stride=2, padding=1), stride=2)",
        "defaults: stride.",
    ),
}

FIT = """
images = torch.stack([testset[i][0] for i in range(len(testset))])
labels = testset.targets.long()

def evaluate(model):
    with torch.no_grad():
        return torch.cat([model(part) for part in images.split(500)]).argmax(1)

def fit(name, model, trained=True):
    model.eval()
    if trained:
        solve(model)
    models[name] = model
    guesses = evaluate(model)
    f1 = [2 * ((guesses == c) & (labels == c)).sum() / max(1, (guesses == c).sum() + (labels == c).sum()) for c in range(10)]
    histories[name] = {"train_loss": [2.3, 1.1], "val_loss": [2.3, 1.2], "val_accuracy": [0.1, 0.5]}
    results[name] = {
        "accuracy": (guesses == labels).float().mean(), "f1": torch.stack(f1).mean(),
        "parameters": sum(p.numel() for p in model.parameters()),
    }

def solve(model):
    # The last layer by least squares, as in an extreme learning machine: trained enough, in no time.
    model(images[:2])
    features = []
    hook = model.out.register_forward_pre_hook(lambda _, inputs: features.append(inputs[0]))
    with torch.no_grad():
        model(images[:500])
    hook.remove()
    a = torch.cat([features[0], torch.ones(500, 1)], 1).double()
    y = F.one_hot(labels[:500], 10).double()
    w = a.T @ torch.linalg.solve(a @ a.T + 0.1 * torch.eye(500), y)
    model.out.weight.data, model.out.bias.data = w[:-1].T.float().contiguous(), w[-1].float()
"""
LOOP = """
def train_one(model, optimizer, batches):
    for x, y in batches:
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
"""

# Each model's count by hand: (9 · in + 1) · out of a convolution, 2 · out of a norm, (features + 1) · 10 at the end.
COUNTS = {
    "baseline": 34832,
    "max_pool": 1772,
    "avg_pool": 1772,
    "gap": 332,
    "regularized": 352,
    "deep": 828,
    "custom": 895,
}
FITTED = MODELS | {"custom": "Net((4, 6, 9), pool=F.max_pool2d, gap=True, norm=True, padding=1, dilation=2)"}
FITTED_CELLS = {
    "task3_model": NET,
    "task3_training": FIT + LOOP + "\ntorch.manual_seed(8)\n",  # random filters that tell garments apart
    "task3_baseline": kept({"baseline": FITTED["baseline"]}, "fit"),
    "task4_exp1": kept({name: FITTED[name] for name in ("max_pool", "avg_pool")}, "fit"),
    "task4_exp2": kept({"gap": FITTED["gap"]}, "fit"),
    "task4_exp3": kept({"regularized": FITTED["regularized"]}, "fit"),
    "task4_exp4": kept({"deep": FITTED["deep"]}, "fit"),
    "task4_exp5": kept({"custom": FITTED["custom"]}, "fit"),
}
# In each experiment one thing is not done or not true.
UNTRUE_CELLS = FITTED_CELLS | {
    "task4_exp1": FITTED_CELLS["task4_exp1"].replace("avg_pool2d)", "avg_pool2d), trained=False"),
    "task4_exp2": FITTED_CELLS["task4_exp2"] + '\ndel histories["gap"]',
    "task4_exp3": FITTED_CELLS["task4_exp3"] + '\nresults["regularized"]["accuracy"] = 0.93',
    "task4_exp4": FITTED_CELLS["task4_exp4"] + "\ndef train_deep(loss):\n    loss.backward()\n",
    "task4_exp5": FITTED_CELLS["task4_exp5"] + '\nhistories["custom"]["val_loss"].append(float("nan"))',
}
