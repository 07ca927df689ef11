"""One parametrised network for the baseline and all five experiments.

An `Architecture` says what the network is made of; `CNN` makes it. Nothing here knows a data set
or a training loop.
"""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn


class Pooling(StrEnum):
    """What follows each block of convolutions."""

    NONE = "none"
    MAX = "max"
    AVERAGE = "average"


class Head(StrEnum):
    """How the last feature maps become one vector an image."""

    FLATTEN = "flatten"
    GAP = "global average pooling"


@dataclass(frozen=True)
class Block:
    """Convolutions, each followed by an activation; `stride` is the first one's, the others' is 1.

    `filters` has one number a convolution; kernels are square. `pooled` is whether the
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
    """All that makes one network differ from another. Images are `shape` (C, H, W)."""

    blocks: tuple[Block, ...]
    pooling: Pooling = Pooling.NONE
    head: Head = Head.FLATTEN
    batch_norm: bool = False
    dropout: float = 0.0
    shape: tuple[int, int, int] = (1, 28, 28)
    classes: int = 10


class CNN(nn.Module):
    """Blocks of convolutions, then a vector an image, then one linear layer.

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
        for stride in (block.stride, *(1 for _ in block.filters[1:])):
            height, width = (_output_size(n, block, stride) for n in (height, width))
        if architecture.pooling is not Pooling.NONE and block.pooled:
            height, width = height // 2, width // 2
        if min(height, width) < 1:
            raise ValueError(f"Images of {architecture.shape[1:]} are too small for {block}.")
    return height, width


def _output_size(n: int, block: Block, stride: int) -> int:
    reach = block.dilation * (block.kernel_size - 1)
    return max(0, (n + 2 * block.padding - reach - 1) // stride + 1)


def _block(block: Block, channels: int, architecture: Architecture) -> nn.Sequential:
    layers: list[nn.Module] = []
    stride = block.stride
    for filters in block.filters:
        layers.append(_convolution(block, channels, filters, stride))
        if architecture.batch_norm:
            layers.append(nn.BatchNorm2d(filters))
        layers.append(nn.ReLU())
        channels, stride = filters, 1
    if architecture.pooling is not Pooling.NONE and block.pooled:
        layers.append(nn.MaxPool2d(2) if architecture.pooling is Pooling.MAX else nn.AvgPool2d(2))
    if architecture.dropout:
        layers.append(nn.Dropout2d(architecture.dropout))
    return nn.Sequential(*layers)


def _convolution(block: Block, channels: int, filters: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(
        channels,
        filters,
        block.kernel_size,
        stride=stride,
        padding=block.padding,
        dilation=block.dilation,
    )
