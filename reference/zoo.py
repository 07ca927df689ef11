"""One parametrised network for the baseline of Task 3 and the experiments of Task 4.

An `Architecture` describes the network; `CNN` builds it. Nothing here depends on a data set
or a training loop. At the end are the experiments, each a change of the one before:
every record says what is new in it and why.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import torch
from torch import nn


class Pooling(StrEnum):
    """What follows each block of convolutions."""

    NONE = "none"
    MAX = "max"
    AVERAGE = "average"


class Head(StrEnum):
    """How the last feature maps become one vector per image."""

    FLATTEN = "flatten"
    GAP = "global average pooling"


@dataclass(frozen=True)
class Block:
    """Convolutions, each followed by an activation; `stride` is the first one's, the others' is 1.

    `filters` has one number per convolution; kernels are square. `pooled` is whether the
    architecture's pooling follows.
    """

    filters: tuple[int, ...]
    kernel_size: int = 3
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    pooled: bool = True


@dataclass(frozen=True)
class Architecture:
    """The architecture of one network. Images are `shape` (C, H, W)."""

    blocks: tuple[Block, ...]
    pooling: Pooling = Pooling.NONE
    head: Head = Head.FLATTEN
    batch_norm: bool = False
    dropout: float = 0.0
    shape: tuple[int, int, int] = (1, 28, 28)
    classes: int = 10


class CNN(nn.Module):
    """Blocks of convolutions, then one vector per image, then one linear layer.

    Takes (B, C, H, W) float32 and returns scores (B, classes), without softmax. Raises `ValueError`
    where the images are too small for the blocks.
    """

    def __init__(self, architecture: Architecture) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        channels = architecture.shape[0]
        for block in architecture.blocks:
            self.blocks.append(_block(block, channels, architecture))
            channels = block.filters[-1]
        height, width = map_size(architecture)
        self.pool = nn.AdaptiveAvgPool2d(1) if architecture.head is Head.GAP else nn.Identity()
        area = 1 if architecture.head is Head.GAP else height * width
        self.flatten = nn.Flatten()
        self.classifier = nn.Linear(channels * area, architecture.classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return scores (B, classes) for images (B, C, H, W)."""
        maps = images
        for block in self.blocks:
            maps = block(maps)
        scores: torch.Tensor = self.classifier(self.flatten(self.pool(maps)))
        return scores


def build(architecture: Architecture, seed: int = 0) -> CNN:
    """Make a network whose first weights depend on `seed` alone; the global seed stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return CNN(architecture)


def map_size(architecture: Architecture) -> tuple[int, int]:
    """Return the height and width of the last feature maps, by the formula of section 5.

    Raises `ValueError` where a kernel or a pooling window no longer fits.
    """
    height, width = architecture.shape[1:]
    for block in architecture.blocks:
        grown = 2 * block.padding - block.dilation * (block.kernel_size - 1)
        for stride in (block.stride, *(1 for _ in block.filters[1:])):
            height, width = (max(0, (n + grown - 1) // stride + 1) for n in (height, width))
        if architecture.pooling is not Pooling.NONE and block.pooled:
            height, width = height // 2, width // 2
        if min(height, width) < 1:
            raise ValueError(f"Images of {architecture.shape[1:]} are too small for {block}.")
    return height, width


def _block(block: Block, channels: int, architecture: Architecture) -> nn.Sequential:
    layers: list[nn.Module] = []
    stride = block.stride
    for filters in block.filters:
        layers.append(nn.Conv2d(channels, filters, block.kernel_size, stride, block.padding, block.dilation))
        if architecture.batch_norm:
            layers.append(nn.BatchNorm2d(filters))
        layers.append(nn.ReLU())
        channels, stride = filters, 1
    if architecture.pooling is not Pooling.NONE and block.pooled:
        layers.append(nn.MaxPool2d(2) if architecture.pooling is Pooling.MAX else nn.AvgPool2d(2))
    if architecture.dropout:
        layers.append(nn.Dropout2d(architecture.dropout))
    return nn.Sequential(*layers)


@dataclass(frozen=True)
class Experiment:
    """One network of the assignment. `name` is its key in the student's `models`."""

    name: str
    change: str
    reason: str
    architecture: Architecture


BASELINE = Experiment(
    name="baseline",
    change="two convolutions with ReLU, flattened into one linear layer",
    reason="the simplest network that meets Task 3; all that follows is measured against it",
    architecture=Architecture(blocks=(Block((16,)), Block((32,)))),
)

MAX_POOL = Experiment(
    name="max_pool",
    change="baseline, and 2x2 max pooling after each convolution",
    reason="smaller maps: 23 times fewer weights in the classifier, and small shifts matter less",
    architecture=replace(BASELINE.architecture, pooling=Pooling.MAX),
)

AVG_POOL = Experiment(
    name="avg_pool",
    change="baseline, and 2x2 average pooling after each convolution",
    reason="the same sizes as max_pool, so only the kind of pooling differs",
    architecture=replace(BASELINE.architecture, pooling=Pooling.AVERAGE),
)

GAP = Experiment(
    name="gap",
    change="max_pool, with global average pooling in place of flatten",
    reason="one number per feature map: hardly any weights in the classifier, but where is lost",
    architecture=replace(MAX_POOL.architecture, head=Head.GAP),
)

REGULARIZED = Experiment(
    name="regularized",
    change="gap, and batch normalisation after each convolution, 2-D dropout after each block",
    reason="normalised maps train faster; dropping whole maps keeps them from relying on another",
    architecture=replace(GAP.architecture, batch_norm=True, dropout=0.05),
)

DEEP = Experiment(
    name="deep",
    change="regularized with five convolutions in place of two, 16 to 128 filters",
    reason="a wider receptive field and more kinds of features before the average is taken",
    architecture=replace(
        REGULARIZED.architecture,
        blocks=(Block((16, 32)), Block((32, 64)), Block((128,), pooled=False)),
    ),
)

CUSTOM = Experiment(
    name="custom",
    change="deep with padding 1 and, in the third block, stride 2",
    reason="padding keeps the border's pixels; stride halves the maps where they are many",
    architecture=replace(
        DEEP.architecture,
        blocks=(
            Block((16, 32), padding=1),
            Block((32, 64), padding=1),
            Block((128, 128), padding=1, stride=2, pooled=False),
        ),
    ),
)

EXPERIMENTS = (BASELINE, MAX_POOL, AVG_POOL, GAP, REGULARIZED, DEEP, CUSTOM)


def for_images(experiment: Experiment, shape: tuple[int, int, int]) -> Architecture:
    """Return the experiment's network for images of `shape` (C, H, W)."""
    return replace(experiment.architecture, shape=shape)
