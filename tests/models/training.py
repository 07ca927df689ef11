"""A small network and a short training of it."""

import torch
from torch import nn
from torch.nn import functional as F

STEPS = 6
X, Y = torch.randn(12, 1, 6, 6), torch.arange(12) % 10


def net(width: int = 3) -> nn.Sequential:
    """A small network."""
    return nn.Sequential(nn.Conv2d(1, width, 3), nn.ReLU(), nn.Flatten(), nn.Linear(width * 16, 10))


def train(model: nn.Module, steps: int = STEPS, **options: bool) -> nn.Module:
    """The sheet's loop."""
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], 0.1)
    for _ in range(steps):
        optimizer.zero_grad(**options)
        F.cross_entropy(model(X), Y).backward()
        optimizer.step()
    return model
