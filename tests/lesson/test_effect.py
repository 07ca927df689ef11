"""A layer that changes nothing is no layer: each part is compared with its replacement on the same input."""

from collections.abc import Callable
from itertools import zip_longest
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.engine.outcomes import UndecidedError
from autograder.lesson.graders.ablation import MOST
from autograder.lesson.graders.effect import averages_one_pixel
from autograder.lesson.graders.layer_flow import LayerFlow, changed_parameters, convolutions, regularizers
from autograder.models.rebuild import Compute, StepKind, rebuild_model
from tests.models.rebuilding import images, roundtrip, vary

Way = Callable[[Tensor], Tensor]
CONV, ACT, MAX, AVG = StepKind.CONV, StepKind.ACTIVATION, StepKind.MAX_POOL, StepKind.AVG_POOL
NORM, DROP = StepKind.BATCH_NORM, StepKind.DROPOUT2D


class Net(nn.Module):
    """A trained-looking convolution, a part in question, a classifier of the flattened map."""

    def __init__(self, part: Way, side: int = 6, always: bool = True, live: float = 1) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(1, 4, 3)
        self.part, self.always, self.live = part, always, live
        self.out = nn.LazyLinear(10)
        self.example = images(4, 1, side, side, seed=2) - 0.5
        with torch.no_grad():
            self.eval()(self.example)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) → (B, 10)."""
        x = self.conv(x)
        part = self.part(x) if self.always or not self.training else x
        x = self.live * part if self.live == 1 else x + self.live * part
        scores: Tensor = self.out(x.flatten(1))
        return scores


def flow_of(net: Net, folder: Path) -> LayerFlow:
    """Write a net as data, read it back, and look at it on images it did not see."""
    return LayerFlow(roundtrip(net, net.example, folder), images(*net.example.shape, seed=9) - 0.5)


def filled(layer: nn.Conv2d, *taps: tuple[int, int, int, int], value: float = 1, bias: float = 0) -> nn.Conv2d:
    """Let a convolution have these weights and no others."""
    with torch.no_grad():
        layer.weight.zero_()
        for tap in taps:
            layer.weight[tap] = value
        if layer.bias is not None:
            layer.bias.fill_(bias)
    return layer


ONE = [(c, c, 0, 0) for c in range(4)]
ONES = filled(nn.Conv2d(4, 4, 1), *ONE).weight.detach()
MIXED = images(4, 4, 1, 1, seed=6)
NEARLY = filled(nn.Conv2d(4, 4, 1), *ONE)
with torch.no_grad():
    NEARLY.weight += 1e-5 * torch.randn(NEARLY.weight.shape)
PRELU = nn.PReLU(4)
with torch.no_grad():
    PRELU.weight.fill_(1)
MOVED = nn.BatchNorm2d(4)
assert MOVED.running_mean is not None
MOVED.running_mean += 1e-5

IDLE: dict[str, tuple[Way, StepKind, int]] = {
    "max of a pixel": (nn.MaxPool2d(1), MAX, 6),
    "max of a map of a pixel": (nn.MaxPool2d(3, 1, 1), MAX, 3),
    "max to the same size": (nn.AdaptiveMaxPool2d(4), MAX, 6),
    "average of a pixel": (nn.AvgPool2d(1), AVG, 6),
    "average of a map of a pixel, with padding": (nn.AvgPool2d(3, 1, 1), AVG, 3),
    "average to the same size": (nn.AdaptiveAvgPool2d(4), AVG, 6),
    "average of a pixel, halved": (lambda x: F.avg_pool2d(x, 1, divisor_override=2), AVG, 6),
    "leaky with slope one": (nn.LeakyReLU(1.0), ACT, 6),
    "in place": (nn.LeakyReLU(1.0, inplace=True), ACT, 6),
    "parametric, all ones": (PRELU, ACT, 6),
    "wide hardtanh": (nn.Hardtanh(-1e9, 1e9), ACT, 6),
    "of squares": (lambda x: F.relu(x * x), ACT, 6),
    "hardly curved": (lambda x: torch.tanh(x * 1e-3), ACT, 6),
    "identity": (filled(nn.Conv2d(4, 4, 1), *ONE), CONV, 6),
    "identity with noise": (NEARLY, CONV, 6),
    "scaled and shifted": (filled(nn.Conv2d(4, 4, 1), *ONE, value=-3, bias=2), CONV, 6),
    "permuted": (filled(nn.Conv2d(4, 4, 1), *((c, (c + 1) % 4, 0, 0) for c in range(4))), CONV, 6),
    "one pixel aside": (filled(nn.Conv2d(4, 4, 3, padding=1), *((c, c, 0, 2) for c in range(4))), CONV, 6),
    "more copies": (filled(nn.Conv2d(4, 8, 1), *((c, c // 2, 0, 0) for c in range(8))), CONV, 6),
    "one number per channel": (nn.Conv2d(4, 4, 1, groups=4), CONV, 6),
    "identity that the image decides": (lambda x: F.conv2d(x, ONES + 0 * x.mean()), CONV, 6),
    "zeros": (filled(nn.Conv2d(4, 4, 3, padding=1)), CONV, 6),
    "batch norm untouched": (nn.BatchNorm2d(4), NORM, 6),
    "batch norm moved by next to nothing": (MOVED, NORM, 6),
    "batch norm with constants": (lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4)), NORM, 6),
    "dropout of nothing": (nn.Dropout2d(0.0), DROP, 6),
    "dropout of next to nothing": (nn.Dropout2d(1e-9), DROP, 6),
}
WORKING: dict[str, tuple[Way, StepKind, int]] = {
    "overlapping max": (nn.MaxPool2d(3, 2, 1), MAX, 6),
    "max, rounded up": (nn.MaxPool2d(2, ceil_mode=True), MAX, 7),
    "max of the same size": (nn.MaxPool2d(3, 1, 1), MAX, 6),
    "average of all but one row": (nn.AvgPool2d((2, 1)), AVG, 6),
    "average, rounded down to a pixel": (nn.AvgPool2d(2), AVG, 5),
    "relu": (nn.ReLU(), ACT, 6),
    "relu after pooling": (lambda x: F.relu(F.max_pool2d(x, 2)), ACT, 6),
    "nearly linear": (nn.LeakyReLU(0.9), ACT, 6),
    "parametric": (nn.PReLU(), ACT, 6),
    "tanh": (nn.Tanh(), ACT, 6),
    "bottleneck": (nn.Conv2d(4, 2, 1), CONV, 6),
    "depthwise": (nn.Conv2d(4, 4, 3, padding=1, groups=4), CONV, 6),
    "same padding": (nn.Conv2d(4, 4, 3, padding="same"), CONV, 6),
    "downsampling": (nn.Conv2d(4, 8, 1, stride=2), CONV, 6),
    "transposed": (nn.ConvTranspose2d(4, 4, 3), CONV, 6),
    "filters that the image decides": (lambda x: F.conv2d(x, MIXED * x.mean()), CONV, 6),
    "batch norm": (vary(nn.BatchNorm2d(4)), NORM, 6),
    "batch norm without affine": (vary(nn.BatchNorm2d(4, affine=False)), NORM, 6),
    "batch norm without statistics": (nn.BatchNorm2d(4, track_running_stats=False), NORM, 6),
    "dropout": (nn.Dropout2d(0.1), DROP, 6),
}


@pytest.mark.parametrize("name", IDLE)
def test_what_gives_back_what_it_reads_is_idle(name: str, tmp_path: Path) -> None:
    """Scaled, shifted and permuted at most, or as its initial statistics have it: no layer of its kind is counted."""
    part, kind, side = IDLE[name]
    flow = flow_of(Net(part, side), tmp_path)
    own = [step for step in flow.idle(kind) if getattr(step.layer, "in_channels", 4) == 4]
    assert len(own) == 1
    assert len(flow.working(kind)) == (1 if kind is CONV else 0)


@pytest.mark.parametrize("name", WORKING)
def test_what_changes_its_input_works(name: str, tmp_path: Path) -> None:
    """Honest layers in their usual forms are none of them idle."""
    part, kind, side = WORKING[name]
    flow = flow_of(Net(part, side), tmp_path)
    assert flow.idle(kind) == []
    assert len(flow.working(kind)) == (2 if kind is CONV else 1)


BY_HAND: dict[str, tuple[Way, int]] = {
    "a mask": (lambda x: x * (x > 0), 1),
    "a mask of floats": (lambda x: (x >= 0).float() * x, 1),
    "a maximum": (lambda x: torch.max(x, torch.zeros_like(x)), 1),
    "a minimum": (lambda x: x - torch.minimum(x, torch.zeros_like(x)), 1),
    "a mask of ones": (lambda x: x * (x > -1e9), 0),
    "a mask of float ones": (lambda x: (x > -1e9).float() * x, 0),
    "a mask that is not used": (lambda x: x + 0 * (x * (x > 0)), 0),
    "a low maximum": (lambda x: torch.max(x, torch.full_like(x, -1e9)), 0),
    "a factor a channel": (lambda x: x * torch.arange(1.0, 5.0).view(4, 1, 1), 0),
}


@pytest.mark.parametrize("way", BY_HAND)
def test_an_activation_written_by_hand_is_one_where_it_changes_something(way: str, tmp_path: Path) -> None:
    """A ReLU may be a product with a comparison, or a maximum; a mask of ones is none."""
    part, expected = BY_HAND[way]
    assert len(flow_of(Net(part), tmp_path).activations()) == expected


class EachImage(nn.Sequential):
    """A layer that is given one image (C, H, W) at a time."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) → (B, D, …)."""
        return torch.stack([super(EachImage, self).forward(image) for image in x])  # type: ignore[no-untyped-call]


def test_convolutions_of_single_images_are_compared_too(tmp_path: Path) -> None:
    """A copy is one, and a convolution that mixes channels is none, where no batch is given."""
    copying = nn.Sequential(*(filled(nn.Conv2d(4, 4, 1), *ONE) for _ in range(2)))
    for name, part, working in (("mixing", nn.Conv2d(4, 4, 3, padding=1), 5), ("copying", copying, 1)):
        flow = flow_of(Net(EachImage(part)), tmp_path / name)
        assert len(flow.working(CONV)) == working, name


PARAMETERS: dict[str, tuple[nn.Module, int, list[str]]] = {
    "dilated pixel": (nn.Conv2d(4, 4, 1, dilation=2), 6, []),
    "dilated along an axis of one": (nn.Conv2d(4, 4, (1, 3), dilation=(3, 1)), 6, []),
    "dilated along the other": (nn.Conv2d(4, 4, (1, 3), dilation=(1, 2)), 8, ["dilation"]),
    "stride to one pixel": (nn.Conv2d(4, 4, 4, stride=2), 6, []),
    "stride that leaves one pixel of four": (nn.Conv2d(4, 4, 3, stride=2), 6, ["stride"]),
    "valid": (nn.Conv2d(4, 4, 3, padding="valid"), 6, []),
    "same": (nn.Conv2d(4, 4, 3, padding="same", dilation=2), 6, ["padding", "dilation"]),
    "padding and stride of equal shapes": (nn.Conv2d(4, 4, 2, stride=2, padding=1), 7, ["stride", "padding"]),
    "padded by nothing": (nn.Sequential(nn.ZeroPad2d(0), nn.Conv2d(4, 4, 3, stride=2)), 7, ["stride"]),
    "cropped": (nn.Sequential(nn.ZeroPad2d(-1), nn.Conv2d(4, 4, 2)), 8, []),
    "channels padded": (nn.Sequential(nn.ConstantPad3d((0, 0, 0, 0, 0, 1), 0.0), nn.Conv2d(5, 4, 2)), 8, []),
    "reflected": (nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), 6, ["padding"]),
    "of a copy": (filled(nn.Conv2d(4, 4, 3, padding=2, dilation=2), *((c, c, 1, 1) for c in range(4))), 8, []),
    "transposed": (nn.ConvTranspose2d(4, 4, 3, stride=2, output_padding=1), 6, ["stride"]),
    "image by image": (EachImage(nn.Conv2d(4, 4, 3, stride=2, padding="valid")), 8, ["stride"]),
    "image by image, to one pixel": (EachImage(nn.Conv2d(4, 4, 4, stride=2, padding=0)), 6, []),
    "image by image, same": (EachImage(nn.Conv2d(4, 4, 3, padding="same", dilation=2)), 6, ["padding", "dilation"]),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_counts_where_the_default_gives_something_else(name: str, tmp_path: Path) -> None:
    """Compared with the same layer with that parameter at its default, on the same input."""
    part, side, expected = PARAMETERS[name]
    assert changed_parameters(flow_of(Net(part, side), tmp_path)) == expected


def test_dropout_counts_on_the_way_that_training_takes(tmp_path: Path) -> None:
    """Dropout that only evaluation passes, or that is switched off by hand, regularizes nothing; never told by chance."""
    ways: dict[str, tuple[Net, set[StepKind]]] = {
        "usual": (Net(nn.Dropout2d(0.3)), {DROP}),
        "rare": (Net(nn.Dropout2d(0.01)), {DROP}),
        "in evaluation only": (Net(nn.Dropout2d(0.3), always=False), set()),
        "switched off": (Net(lambda x: F.dropout2d(x, 0.3, training=False)), set()),
        "times zero": (Net(nn.Dropout2d(0.3), live=0), set()),
    }
    for name, (net, expected) in ways.items():
        roundtrip(net, net.example, tmp_path / name)
        flow = LayerFlow(rebuild_model(tmp_path / name, train=True), net.example, training=True)
        assert regularizers(flow) == expected, name


ONE_PIXEL: dict[str, tuple[Way, int, bool]] = {
    "one pixel": (lambda x: x, 3, True),
    "one pixel, enlarged": (lambda x: F.interpolate(x, size=3), 3, True),
    "one pixel in a frame": (lambda x: F.pad(x, (1, 1, 1, 1)), 3, True),
    "four pixels": (lambda x: x, 4, False),
}
AVERAGES: dict[str, Way] = {
    "layer": lambda x: F.adaptive_avg_pool2d(x, 1),
    "mean": lambda x: x.mean((2, 3)),
    "kernel": lambda x: F.avg_pool2d(x, x.shape[2:]),
    "sum": lambda x: x.sum((2, 3)) / x[0, 0].numel(),
}


@pytest.mark.parametrize("average", AVERAGES)
@pytest.mark.parametrize("name", ONE_PIXEL)
def test_an_average_of_one_pixel_is_there_and_averages_nothing(name: str, average: str, tmp_path: Path) -> None:
    """Later experiments find global average pooling; experiment 2 finds that it had nothing to average."""
    part, side, expected = ONE_PIXEL[name]
    flow = flow_of(Net(lambda x: AVERAGES[average](part(torch.tanh(x))), side), tmp_path)
    step = flow.averaging(flow.classifiers()[0])
    assert step is not None
    source = flow.mapped(step)
    assert source is not None
    assert averages_one_pixel(flow.model, flow.images, step, source) == expected


class Branched(nn.Module):
    """A chain of convolutions beside branches, `dead` of them times zero."""

    def __init__(self, chain: int, live: int, dead: int) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = nn.Conv2d(1, 2, 3, padding=1)
        self.chain = nn.Sequential(*(nn.Conv2d(2, 2, 3, padding=1) for _ in range(chain)))
        self.live = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(live))
        self.dead = nn.ModuleList(nn.Conv2d(2, 2, 3, padding=1) for _ in range(dead))
        self.out = nn.Linear(2 * 36, 10)
        for conv in self.chain:
            assert isinstance(conv, nn.Conv2d)
            nn.init.normal_(conv.weight, std=0.3)  # what goes in at one end comes out at the other

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, 6, 6) → (B, 10)."""
        x = self.first(x)
        for live, dead in zip_longest(self.live, self.dead):
            x = x + (live(x) if live else 0) + 0 * (dead(x) if dead else 0)
        scores: Tensor = self.out(self.chain(x).flatten(1))
        return scores


def runs(model: nn.Module, folder: Path) -> tuple[LayerFlow, int]:
    """Look at a model, and count how often it runs."""
    lifted = roundtrip(model, images(4, 1, 6, 6), folder)
    counted: list[None] = []
    plain = lifted.run

    def run(images: Tensor, compute: Compute) -> Tensor:
        counted.append(None)
        return plain(images, compute)

    lifted.run = run  # type: ignore[method-assign]
    return LayerFlow(lifted, images(4, 1, 6, 6, seed=4)), len(counted)


@pytest.mark.parametrize(
    ("model", "most"), [(Branched(60, 0, 0), 4), (Branched(1, 8, 0), 12), (Branched(1, 0, 60), 12)]
)
def test_a_chain_of_layers_takes_one_run(model: Branched, most: int, tmp_path: Path) -> None:
    """What a model's answer rests on is found in a few runs: a branch takes one, dead layers are told in groups."""
    flow, taken = runs(model, tmp_path)
    assert taken <= most
    assert len(convolutions(flow)) == 1 + len(model.chain) + len(model.live)


@pytest.mark.soak
def test_too_many_branches_are_left_to_a_person(tmp_path: Path) -> None:
    """Beyond the bound nothing is said of the layers that are left: undecided, never a wrong zero."""
    with pytest.raises(UndecidedError):
        runs(Branched(1, MOST, MOST), tmp_path)
