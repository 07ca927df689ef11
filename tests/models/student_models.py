"""Small models in every style a student may write, each for images (B, 1, 28, 28) unless its name says otherwise."""

# ruff: noqa: D101, D102, D103 - a style is its code

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sequential() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(16 * 13 * 13, 10),
    )  # fmt: skip


class Base(nn.Module):
    """Two convolutions and a classifier; the styles differ in `forward`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding="same")
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.fc = nn.Linear(8, 10)

    def features(self, x: Tensor) -> Tensor:
        return F.relu(self.conv2(F.max_pool2d(F.relu(self.conv1(x)), 2)))

    def forward(self, x: Tensor) -> Any:
        return self.fc(self.features(x).mean((2, 3)))


class ModuleListed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)])
        self.head = nn.Linear(4 * 22 * 22, 10)

    def forward(self, x: Tensor) -> Tensor:
        for conv in self.convs:
            x = torch.relu(conv(x))
        return self.head(x.view(x.size(0), -1))  # type: ignore[no-any-return]


class Residual(Base):
    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x), inplace=True)
        skip = x
        out = self.conv2(x)
        out += skip
        F.relu_(out)
        return self.fc(F.adaptive_avg_pool2d(out, 1).flatten(1))  # type: ignore[no-any-return]


class Regularized(Base):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(8)
        self.drop2d = nn.Dropout2d(0.25)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.drop2d(F.avg_pool2d(self.norm(self.conv1(x)).relu(), 2))
        x = F.leaky_relu(self.conv2(x))
        return F.log_softmax(self.fc(self.drop(x.mean([-1, -2]))), dim=1)


class Lazy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyConv2d(4, 3), nn.GELU(), nn.Flatten(), nn.LazyLinear(10))
        self.net(torch.zeros(2, 1, 28, 28))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x).softmax(1)  # type: ignore[no-any-return]


class TrainingBranch(Base):
    """Dropout and noise under `if self.training`: absent from the graph in evaluation mode."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.features(x)
        if self.training:
            x = F.dropout2d(x, 0.5)
        return self.fc(x.mean((2, 3)))  # type: ignore[no-any-return]


class BatchBranch(Base):
    def forward(self, x: Tensor) -> Tensor:
        if x.shape[0] == 1:
            return self.fc(self.features(x).amax((2, 3)))  # type: ignore[no-any-return]
        return self.fc(self.features(x).mean((2, 3)))  # type: ignore[no-any-return]


class ValueBranch(Base):
    def forward(self, x: Tensor) -> Tensor:
        if x.max() > 100:
            x = x / 255
        return self.fc(self.features(x).mean((2, 3)))  # type: ignore[no-any-return]


class NumpyInside(Base):
    def forward(self, x: Tensor) -> Tensor:
        maps = self.features(x)
        self.last_maps = maps.detach().numpy()
        return self.fc(maps.mean((2, 3)))  # type: ignore[no-any-return]


class KeepsMaps(Base):
    def forward(self, x: Tensor) -> Tensor:
        self.maps = self.features(x)
        return self.fc(self.maps.mean((2, 3)))  # type: ignore[no-any-return]


class Autocast(Base):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.fc(self.features(x).mean((2, 3))).float()  # type: ignore[no-any-return]


class NoGradInside(Base):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            maps = F.relu(self.conv1(x))
        return self.fc(self.conv2(maps).mean((2, 3)))  # type: ignore[no-any-return]


class WritesIntoSlices(Base):
    """In place on views: rows blanked, channels filled one half after the other."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.clone()
        x[:, :, 0] = 0
        maps = F.relu(self.conv1(x))
        both = torch.zeros(x.shape[0], 8, 28, 28)
        both[:, :4] = maps[:, 4:]
        both[:, 4:] += maps[:, :4] * 2
        return self.fc(self.conv2(both).sigmoid().mean((2, 3)))  # type: ignore[no-any-return]


class ChangesInput(Base):
    def forward(self, x: Tensor) -> Tensor:
        flat = x.view(-1)
        x.sub_(0.5)
        return self.fc(self.features(x).mean((2, 3)) + flat.mean())  # type: ignore[no-any-return]


class Shared(Base):
    """One convolution used twice, one linear layer written as a product."""

    def __init__(self) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(8, 10))
        self.unused = nn.Linear(100, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv1(x))
        x = F.silu(self.conv2(torch.tanh(self.conv2(x))))
        pooled = x.view(x.size(0), x.size(1), -1).mean(-1)
        return pooled @ self.W + self.fc.bias


class Attention(Base):
    """Squeeze-and-excitation, splits, concatenation, learnt scale, own group norm."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1, 8, 1, 1))
        self.squeeze = nn.Linear(8, 8)
        self.norm = nn.GroupNorm(2, 8)
        self.layer_norm = nn.LayerNorm(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(F.elu(self.conv1(x))) * self.scale
        left, right = x.chunk(2, dim=1)
        x = torch.cat([right, left], 1)
        x = x * torch.sigmoid(self.squeeze(x.mean(3).mean(2)))[:, :, None, None]
        x = self.layer_norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = F.interpolate(F.pad(x, (1, 1, 1, 1), "reflect"), scale_factor=0.5)
        x = torch.stack([self.conv2(x), x]).sum(0).clamp(min=0)
        return self.fc(torch.squeeze(nn.functional.avg_pool2d(x, x.shape[2:])))  # type: ignore[no-any-return]


class WeightNormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv2d(1, 4, 3))
        self.act = nn.PReLU(4)
        self.fc = nn.Linear(4, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.act(self.conv(x)).mean((2, 3)))  # type: ignore[no-any-return]


def channels_last() -> nn.Module:
    return Base().to(memory_format=torch.channels_last)


class ChannelsLastInside(Base):
    def forward(self, x: Tensor) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        return self.fc(self.features(x).mean((2, 3)))  # type: ignore[no-any-return]


def compiled() -> nn.Module:
    return torch.compile(Base())  # type: ignore[return-value]


def with_hooks() -> nn.Module:
    """A Grad-CAM hook left on, that PyTorch's tracer cannot follow."""
    model = Base()
    kept: list[Any] = []
    model.conv2.register_forward_hook(lambda _m, _i, output: kept.append(output.numpy()))
    return model


def double() -> nn.Module:
    return Base().double()


def half() -> nn.Module:
    return Base().bfloat16()


STYLES: dict[str, Callable[[], nn.Module]] = {
    style.__name__: style
    for style in (
        sequential, Base, ModuleListed, Residual, Regularized, Lazy, TrainingBranch, BatchBranch, ValueBranch, NumpyInside,
        KeepsMaps, Autocast, NoGradInside, WritesIntoSlices, ChangesInput, Shared, Attention, WeightNormed, channels_last,
        ChannelsLastInside, compiled, with_hooks, double, half,
    )
}  # fmt: skip
