"""A small network of given parts, and its data flow as graders see it."""

from collections.abc import Callable
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn

from autograder.lesson.graders.architecture import Flow
from tests.models.rebuilding import images, roundtrip

EXAMPLE = images(3, 1, 12, 12)
Way = Callable[[Tensor], Tensor]


class Spelt(nn.Module):
    """Two convolutions with something after each, and a linear layer."""

    def __init__(self, act: Way = F.relu, head: Way | None = None, features: int = 4, last: Way | None = None) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3)
        self.act, self.last, self.head = act, last or act, head or (lambda x: x.mean((2, 3)))
        self.out = nn.Linear(features, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) → (B, 10)."""
        scores: Tensor = self.out(self.head(self.last(self.two(self.act(self.one(x))))))
        return scores


def flow_of(model: nn.Module, folder: Path, example: Tensor = EXAMPLE) -> Flow:
    """Write the model as data, read it back, and look at its flow."""
    return Flow(roundtrip(model, example, folder))
