"""What this lesson's graders ask the sandbox for: calls of functions, layers, models, the data, activation maps."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autograder.engine.evidence import Probe, generator

Array = NDArray[np.generic]
IMAGE_SHAPES = {"grey": (16, 28, 28), "colour": (16, 32, 32, 3)}
Arguments = tuple[Array | int, ...]


@dataclass(frozen=True)
class CallProbe(Probe):
    """Call `function` of the notebook with drawn arguments, as NumPy arrays and as torch tensors.

    Every call is watched for library convolutions; all probes of one function agree in `steps`, so that no call
    differs from another.
    """

    kind = "call"
    function: str
    draw: Callable[[np.random.Generator], Arguments]
    steps: bool = False  # count how many steps the call takes

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Ask for a call with these arguments."""
        drawn = self.draw(generator(seed, f"{self.cell}/{self.name}"))
        arguments = [_argument(value, folder, f"{self.name}-{i}.npy") for i, value in enumerate(drawn)]
        return super().request(seed, folder) | {"function": self.function, "steps": self.steps, "arguments": arguments}


@dataclass(frozen=True)
class LayerProbe(Probe):
    """Read the declared parameters of a layer the notebook named."""

    kind = "layer"


@dataclass(frozen=True)
class ModelProbe(Probe):
    """Take `models[name]` as a graph with weights, its history and its results."""

    kind = "model"


@dataclass(frozen=True)
class DataProbe(Probe):
    """Take what `testset` is and does to random images."""

    kind = "data"

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Ask for what the transform makes of these images."""
        for name in IMAGE_SHAPES:
            np.save(folder / f"{name}.npy", random_images(seed, name), allow_pickle=False)
        return super().request(seed, folder)


@dataclass(frozen=True)
class MapProbe(Probe):
    """Call `cam(model, image, class_index)` on visible images, for the class each of these models itself predicts."""

    kind = "map"
    models: tuple[str, ...]

    def request(self, seed: str, folder: Path) -> dict[str, object]:
        """Ask for the maps of these models."""
        return super().request(seed, folder) | {"models": list(self.models)}


def random_images(seed: str, kind: str) -> NDArray[np.uint8]:
    """Draw the images that go through the student's transform, "grey" (16, 28, 28) or "colour" (16, 32, 32, 3)."""
    return generator(seed, f"images/{kind}").integers(0, 256, IMAGE_SHAPES[kind], dtype=np.uint8)


def _argument(value: object, folder: Path, name: str) -> dict[str, object]:
    if isinstance(value, int):
        return {"value": value}
    np.save(folder / name, np.asarray(value), allow_pickle=False)
    return {"array": name}
