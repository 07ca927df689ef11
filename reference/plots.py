"""Learning curves and class activation maps, as PNG files."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn

from reference.cam import cam, overlay
from reference.data import Dataset
from reference.device import modes_kept
from reference.trainer import History

CLASSES = {
    Dataset.FASHION_MNIST: (
        *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
    ),
    Dataset.CIFAR10: (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
}


def save_curves(histories: Mapping[str, History], path: Path) -> None:
    """Draw training loss, validation loss and validation accuracy of all models, by epoch."""
    figure = _figure(15, 4)
    for axes, field in zip(figure.subplots(1, 3), History.__dataclass_fields__, strict=True):
        for name, history in histories.items():
            values = getattr(history, field)
            axes.plot(range(1, len(values) + 1), values, marker=".", label=name)
        axes.set(xlabel="epoch", ylabel=field.replace("_", " "))
        axes.grid(alpha=0.3)
    axes.legend()
    _save(figure, path)


def save_cams(model: nn.Module, inputs: torch.Tensor, names: Sequence[str], path: Path) -> None:
    """Draw the map of the predicted class over each of `inputs` (N, C, H, W); N at least 1."""
    figure = _figure(2.2 * len(inputs), 2.6)
    with modes_kept(model), torch.no_grad():
        predicted = model.eval()(inputs).argmax(dim=1).tolist()
    grid = figure.subplots(1, len(inputs), squeeze=False)
    for axes, image, index in zip(grid[0], inputs, predicted, strict=True):
        overlay(axes, image, cam(model, image, index), names[index])
    _save(figure, path)


def _figure(width: float, height: float) -> Figure:
    # Not pyplot: it would keep the figure and ask for a display.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
