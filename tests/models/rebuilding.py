"""What the tests of rebuilding share: images, the way from model to data and back, the comparison."""

from pathlib import Path

import torch
from torch import Tensor, nn

from autograder.models.capture.export import export_model
from autograder.models.rebuild import RebuiltModel, StepKind, rebuild_model


def images(*shape: int, seed: int = 0) -> Tensor:
    """Random images in [0, 1)."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def roundtrip(model: nn.Module, example: Tensor, folder: Path) -> RebuiltModel:
    """Write a model as data and read it back."""
    export_model(model, example, folder)
    return rebuild_model(folder)


def agree(model: nn.Module, rebuilt: RebuiltModel, example: Tensor) -> bool:
    """Whether both give the same scores, to 1e-4, on images that the export never saw."""
    fresh = images(*example.shape, seed=1).to(example.dtype)
    with torch.no_grad():
        expected, actual = model.eval()(fresh.clone()), rebuilt(fresh.clone())
    return actual.dtype == expected.dtype and torch.allclose(actual, expected, rtol=1e-4, atol=1e-4)


def vary(model: nn.Module) -> nn.Module:
    """Give batch norms statistics that matter."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.uniform_(-0.1, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return model


def kinds(rebuilt: RebuiltModel) -> list[StepKind]:
    """The kinds of the steps, in order."""
    return [step.kind for step in rebuilt.steps]
