"""Task 5: class activation maps (CAM) of a network that ends in global average pooling.

Zhou, Khosla, Lapedriza, Oliva and Torralba 2016, "Learning Deep Features for Discriminative
Localization", section 2.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from reference.recipe import modes_kept


def cam(model: nn.Module, image: torch.Tensor, class_index: int) -> torch.Tensor:
    """Return the class activation map: M(x, y) = sum over k of w[c, k] * f[k](x, y).

    f are the feature maps before global average pooling, w the weights of the last linear layer.
    `image` is (C, H, W), as the model takes it; the map is (h, w), as small as the feature maps,
    float32, on any scale. The model stays as it was. Raises `ValueError` where it does not end in
    `nn.AdaptiveAvgPool2d(1)` and one `nn.Linear`, or has no such class.
    """
    pool, classifier = _head(model)
    if not 0 <= class_index < classifier.out_features:
        raise ValueError(f"There is no class {class_index} among {classifier.out_features}.")
    with modes_kept(model), _recorded(pool) as inputs, torch.no_grad():
        model.eval()(image.unsqueeze(0))
    maps = inputs[-1].squeeze(0)
    return torch.einsum("k,khw->hw", classifier.weight[class_index].detach(), maps)


def overlay(axes: Axes, image: torch.Tensor, activation: torch.Tensor, title: str = "") -> None:
    """Draw the map over its image: `image` (C, H, W) in any range, `activation` (h, w)."""
    size = image.shape[1:]
    enlarged = F.interpolate(activation[None, None], size=size, mode="bilinear")[0, 0]
    shown = (image - image.min()) / (image.max() - image.min()).clamp(min=1e-8)
    axes.imshow(shown.permute(1, 2, 0).cpu().numpy(), cmap="gray")
    axes.imshow(enlarged.cpu().numpy(), cmap="jet", alpha=0.45)
    axes.set_title(title)
    axes.axis("off")


def _head(model: nn.Module) -> tuple[nn.AdaptiveAvgPool2d, nn.Linear]:
    pools = [m for m in model.modules() if isinstance(m, nn.AdaptiveAvgPool2d)]
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    if len(pools) != 1 or len(linear) != 1 or pools[0].output_size not in {1, (1, 1)}:
        raise ValueError("CAM needs one global average pooling and one linear layer after it.")
    return pools[0], linear[0]


@contextmanager
def _recorded(layer: nn.Module) -> Iterator[list[torch.Tensor]]:
    """Record a layer's inputs while the block runs."""
    inputs: list[torch.Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    try:
        yield inputs
    finally:
        hook.remove()


def save_cams(model: nn.Module, inputs: torch.Tensor, names: Sequence[str], path: Path) -> None:
    """Draw the map of the predicted class over each of `inputs` (N, C, H, W); N at least 1."""
    figure = new_figure(2.2 * len(inputs), 2.6)
    with modes_kept(model), torch.no_grad():
        predicted = model.eval()(inputs).argmax(dim=1).tolist()
    grid = figure.subplots(1, len(inputs), squeeze=False)
    for axes, image, index in zip(grid[0], inputs, predicted, strict=True):
        overlay(axes, image, cam(model, image, index), names[index])
    save(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches."""
    # Not pyplot: it would keep the figure and ask for a display.
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
