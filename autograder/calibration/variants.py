"""Whom the thresholds are measured on: the reference, and submissions from plausible to unsound.

A plausible student does what Task 3 asks and nothing more, with the settings that students choose:
narrow or wide, Adam or SGD, batches of any size, images in [0, 1] or normalised. A doubtful one
trains too little or with too large a step: such runs lie about the threshold, and the level of
`quick` is drawn from those that miss it. An unsound one does not learn, or learns something else.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from autograder.calibration.thresholds import Kind
from reference.experiments import BASELINE
from reference.recipe import Optimiser, Recipe
from reference.zoo import Architecture, Block, Pooling


class Labels(StrEnum):
    """Which label an image is trained with."""

    TRUE = "its own label"
    NEIGHBOUR = "its neighbour's label"


@dataclass(frozen=True)
class Subject:
    """One way to do Task 3. A recipe of 0 epochs trains nothing."""

    name: str
    kind: Kind
    architecture: Architecture
    recipe: Recipe
    labels: Labels = Labels.TRUE

    @property
    def described(self) -> str:
        """One line for a person."""
        filters = "/".join("+".join(map(str, b.filters)) for b in self.architecture.blocks)
        recipe = self.recipe
        scale = "in [0, 1]" if recipe.std == 1 else "normalised"
        words = [f"filters {filters}"]
        words += [f"{self.architecture.pooling} pooling"] * (self.architecture.pooling is not Pooling.NONE)
        words += ["batch norm"] * self.architecture.batch_norm
        words += [f"dropout {self.architecture.dropout:g}"] * bool(self.architecture.dropout)
        words += [f"{recipe.optimiser} {recipe.learning_rate:g}"]
        words += [f"momentum {recipe.momentum:g}"] * bool(recipe.momentum)
        words += [f"epochs {recipe.epochs}", f"batches of {recipe.batch_size}", f"images {scale}"]
        words += [self.labels.value] * (self.labels is not Labels.TRUE)
        return ", ".join(words)


def _two(first: int, second: int) -> Architecture:
    return Architecture(blocks=(Block((first,)), Block((second,))))


def _unit(recipe: Recipe) -> Recipe:
    """Leave the images in [0, 1]."""
    return replace(recipe, mean=0.0, std=1.0)


def _sgd(rate: float, epochs: int, batch_size: int, momentum: float = 0.0) -> Recipe:
    return Recipe(epochs, batch_size, Optimiser.SGD, rate, momentum)


_STRIDED = Architecture(blocks=(Block((16,), kernel_size=5, stride=2), Block((32,))))
_FOUR = Architecture(blocks=(Block((16, 16)), Block((32, 32))))
_SAME = BASELINE.architecture
_NORMALISED = replace(BASELINE.architecture, batch_norm=True, dropout=0.25)
_POOLED = replace(BASELINE.architecture, pooling=Pooling.MAX)
_STUDENT, _DOUBTFUL, _UNSOUND = Kind.STUDENT, Kind.DOUBTFUL, Kind.UNSOUND

VARIANTS = (
    Subject("reference", Kind.REFERENCE, _SAME, Recipe(epochs=3)),
    Subject("narrow", _STUDENT, _two(8, 16), _unit(Recipe(epochs=3, batch_size=64))),
    Subject("wide", _STUDENT, _two(32, 32), Recipe(epochs=2, batch_size=256)),
    Subject("four convolutions", _STUDENT, _FOUR, Recipe(epochs=2, batch_size=37)),
    Subject("strided", _STUDENT, _STRIDED, _sgd(0.01, 4, 100, momentum=0.9)),
    Subject("SGD 0.1", _STUDENT, _SAME, _sgd(0.1, 3, 128)),
    Subject("SGD 0.01", _STUDENT, _STRIDED, _sgd(0.01, 10, 64)),
    Subject("Adam 1e-4", _STUDENT, _SAME, Recipe(epochs=3, batch_size=100, learning_rate=1e-4)),
    Subject("batch norm", _STUDENT, _NORMALISED, _unit(Recipe(epochs=5, batch_size=50))),
    Subject("max pooling", _STUDENT, _POOLED, _sgd(0.05, 8, 150, momentum=0.9)),
    Subject("untrained", _UNSOUND, _SAME, Recipe(epochs=0)),
    Subject("neighbour's labels", _UNSOUND, _STRIDED, Recipe(epochs=3), Labels.NEIGHBOUR),
    Subject("hardly learns", _UNSOUND, _SAME, _sgd(1e-4, 1, 128)),
    Subject("learns slowly", _DOUBTFUL, _two(8, 16), _sgd(1e-3, 3, 128)),
    Subject("stops early", _DOUBTFUL, _STRIDED, _sgd(0.01, 1, 128)),
    Subject("too large a step", _DOUBTFUL, _STRIDED, Recipe(epochs=2, learning_rate=0.03)),
)
