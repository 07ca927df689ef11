"""What goes wrong in one of Task 4's models at a time, the others right."""

from dataclasses import dataclass


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
    "max: of a pixel": Wrong(
        "max_pool", "Net(pool=lambda x, n: F.max_pool2d(x, 1))", "nn.MaxPool2d(1×1) does not count"
    ),
    "max: both kinds": Wrong(
        "max_pool", "Net(pool=lambda x, n: F.avg_pool2d(F.max_pool2d(x, n), 2, 1))", "AvgPool2d as well"
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
    "gap: of one pixel": Wrong(
        "gap", other("maps=lambda s, x: F.max_pool2d(Net.maps(s, x), 5)", f"{POOLED}, gap=True"), "averages is 6×1×1"
    ),
    "gap: other filters": Wrong("gap", f"Net((4, 8), {POOLED}, gap=True)", "1→4, 3×3; 4→8, 3×3"),
    "regularized: nothing new": Wrong("regularized", f"Net({POOLED}, gap=True)", "input to output."),
    "regularized: multiplied by zero": Wrong(
        "regularized",
        other(
            "norm=staticmethod(nn.BatchNorm2d(6).eval()), maps=lambda s, x: (m := Net.maps(s, x)) + 0 * s.norm(m)",
            f"{POOLED}, gap=True",
        ),
        "neither",
    ),
    "regularized: plain dropout": Wrong(
        "regularized",
        other("maps=lambda s, x: F.dropout(Net.maps(s, x), 0.2, s.training)", f"{POOLED}, gap=True"),
        "plain nn.Dropout",
    ),
    "regularized: batch norm of the classes": Wrong(
        "regularized", f"nn.Sequential(Net({POOLED}, gap=True), nn.BatchNorm1d(10))", "neither BatchNorm2d"
    ),
    "regularized: batch norm after training": Wrong(
        "regularized",
        "type('Late', (nn.Module,), dict(__init__=lambda s, n: (nn.Module.__init__(s), setattr(s, 'n', n),"
        " setattr(s, 'norm', nn.BatchNorm2d(6)))[0], forward=lambda s, x: s.n.out("
        "(m if s.training else s.norm(m)).mean((2, 3)) if (m := s.n.maps(x)) is not None else 0)))"
        f"(Net({POOLED}, gap=True))",
        "statistics are still the initial ones",
    ),
    "regularized: dropout of nothing": Wrong(
        "regularized",
        other("maps=lambda s, x: F.dropout2d(Net.maps(s, x), 0.0, s.training)", f"{POOLED}, gap=True"),
        "drops nothing in training",
    ),
    "regularized: dropout in evaluation only": Wrong(
        "regularized",
        other("maps=lambda s, x: F.dropout2d(Net.maps(s, x), 0.2, not s.training)", f"{POOLED}, gap=True"),
        "drops nothing in training",
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
    "deep: multiplied by zero": Wrong(
        "deep",
        other(
            "side=staticmethod(nn.Conv2d(6, 6, 3, padding=1)), maps=lambda s, x: (m := Net.maps(s, x)) + 0 * s.side(m)",
            f"{POOLED}, gap=True, norm=True",
        ),
        "has 2 convolutions",
    ),
    "deep: a copy": Wrong(
        "deep",
        other(
            "copy=nn.init.dirac_(nn.Conv2d(6, 6, 1, bias=False).weight.data), "
            "maps=lambda s, x: F.conv2d(Net.maps(s, x), s.copy)",
            f"{POOLED}, gap=True, norm=True",
        ),
        "nn.Conv2d(6→6, 1×1) does not count",
    ),
    "deep: fewer filters": Wrong("deep", f"Net((8, 6, 4), {POOLED}, gap=True, norm=True)", "has 4 filters"),
    "deep: max pooling lost": Wrong("deep", "Net((4, 6, 8), gap=True, norm=True)", "no max pooling"),
    "deep: averaging lost": Wrong("deep", f"Net((4, 6, 8), {POOLED}, norm=True)", "not averaged"),
    "deep: batch norm lost": Wrong("deep", f"Net((4, 6, 8), {POOLED}, gap=True)", "lost nn.BatchNorm2d"),
    "custom: nothing": Wrong("custom", "Net(gap=True)", "defaults: none."),
    "custom: padding alone": Wrong("custom", "Net(padding=1)", "defaults: padding."),
    "custom: same padding of one pixel": Wrong(
        "custom",
        "nn.Sequential(nn.Conv2d(1, 4, 1, padding='same', dilation=2), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))",
        "defaults: none. Change two or more of stride, dilation, padding. Without effect: dilation",
    ),
    "custom: stride to one pixel": Wrong(
        "custom",
        "nn.Sequential(nn.Conv2d(1, 4, 28, stride=3, dilation=1), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))",
        "Without effect: stride",
    ),
    "custom: pooling's own": Wrong(
        "custom",
        "Net((4, 4), pool=lambda x, n: F.max_pool2d(x, 3, stride=2, padding=1), stride=2)",
        "defaults: stride.",
    ),
}
