"""Accuracy and macro F1 of predicted classes."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Metrics:
    """Fractions in [0, 1]; `loss` is the mean cross-entropy in nats."""

    loss: float
    accuracy: float
    f1: float


def confusion(predicted: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Count pairs: entry (i, j) is how often class i was taken for j. (classes, classes), int64."""
    pairs = labels.to(torch.int64) * classes + predicted.to(torch.int64)
    # Not bincount, which makes a GPU wait for the largest pair.
    counts = torch.zeros(classes * classes, dtype=torch.int64, device=pairs.device)
    return counts.scatter_add_(0, pairs, torch.ones_like(pairs)).reshape(classes, classes)


def accuracy(counts: torch.Tensor) -> torch.Tensor:
    """Return the fraction of images on the diagonal of a confusion matrix; a float64 scalar."""
    return counts.diagonal().sum().to(torch.float64) / counts.sum()


def macro_f1(counts: torch.Tensor) -> torch.Tensor:
    """Return the unweighted mean of the classes' F1 scores, from a confusion matrix; float64.

    A class that neither occurs nor is predicted does not count; one that is never predicted right
    counts 0. So scikit-learn's f1_score(average="macro", zero_division=0) has it.
    """
    right = counts.diagonal().to(torch.float64)
    either = (counts.sum(dim=0) + counts.sum(dim=1)).to(torch.float64)
    f1 = torch.where(either > 0, 2 * right / either.clamp(min=1), 0.0)
    return f1.sum() / (either > 0).sum()
