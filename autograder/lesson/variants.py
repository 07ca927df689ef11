"""The ways to do Task 3 that calibration trains: the reference, plausible students, weak and unsound submissions."""

from dataclasses import dataclass, replace

from autograder.engine.report import Profile
from autograder.lesson.thresholds import VariantKind
from reference.recipe import Optimiser, Recipe
from reference.zoo import BASELINE, Architecture, Block, Pooling


@dataclass(frozen=True)
class TrainingVariant:
    """One variant of Task 3's model to train; a recipe of 0 epochs trains nothing."""

    name: str
    kind: VariantKind
    architecture: Architecture
    recipe: Recipe
    neighbours_labels: bool = False  # each image is trained with its neighbour's label

    @property
    def described(self) -> str:
        """One line for a person."""
        filters = "/".join("+".join(map(str, b.filters)) for b in self.architecture.blocks)
        recipe = self.recipe
        scale = "in [0, 1]" if recipe.std == 1 else "normalised"
        parts = [f"filters {filters}"]
        parts += [f"{self.architecture.pooling} pooling"] * (self.architecture.pooling is not Pooling.NONE)
        parts += ["batch norm"] * self.architecture.batch_norm
        parts += [f"dropout {self.architecture.dropout:g}"] * bool(self.architecture.dropout)
        parts += [f"{recipe.optimiser} {recipe.learning_rate:g}"]
        parts += [f"momentum {recipe.momentum:g}"] * bool(recipe.momentum)
        parts += [f"epochs {recipe.epochs}", f"batches of {recipe.batch_size}", f"images {scale}"]
        parts += ["its neighbour's label"] * self.neighbours_labels
        return ", ".join(parts)


@dataclass(frozen=True)
class Run:
    """One training run; `measured` is its held-out accuracy, or how much of it is lost under the change."""

    subject: TrainingVariant
    profile: Profile
    seed: int
    measured: float

    def __str__(self) -> str:
        return f"{self.subject.name} {self.profile} {self.seed} {self.measured}"


def _two(first: int, second: int) -> Architecture:
    return Architecture(blocks=(Block((first,)), Block((second,))))


def _unit(recipe: Recipe) -> Recipe:
    """Return the recipe without normalisation: images stay in [0, 1]."""
    return replace(recipe, mean=0.0, std=1.0)


def _sgd(rate: float, epochs: int, batch_size: int, momentum: float = 0.0) -> Recipe:
    return Recipe(epochs, batch_size, Optimiser.SGD, rate, momentum)


_STRIDED = Architecture(blocks=(Block((16,), kernel_size=5, stride=2), Block((32,))))
_FOUR = Architecture(blocks=(Block((16, 16)), Block((32, 32))))
_SAME = BASELINE.architecture
_NORMALISED = replace(BASELINE.architecture, batch_norm=True, dropout=0.25)
_POOLED = replace(BASELINE.architecture, pooling=Pooling.MAX)
_STUDENT, _DOUBTFUL, _UNSOUND = VariantKind.STUDENT, VariantKind.DOUBTFUL, VariantKind.UNSOUND

VARIANTS = (
    TrainingVariant("reference", VariantKind.REFERENCE, _SAME, Recipe(epochs=3)),
    TrainingVariant("narrow", _STUDENT, _two(8, 16), _unit(Recipe(epochs=3, batch_size=64))),
    TrainingVariant("wide", _STUDENT, _two(32, 32), Recipe(epochs=2, batch_size=256)),
    TrainingVariant("four convolutions", _STUDENT, _FOUR, Recipe(epochs=2, batch_size=37)),
    TrainingVariant("strided", _STUDENT, _STRIDED, _sgd(0.01, 4, 100, momentum=0.9)),
    TrainingVariant("SGD 0.1", _STUDENT, _SAME, _sgd(0.1, 3, 128)),
    TrainingVariant("SGD 0.01", _STUDENT, _STRIDED, _sgd(0.01, 10, 64)),
    TrainingVariant("Adam 1e-4", _STUDENT, _SAME, Recipe(epochs=3, batch_size=100, learning_rate=1e-4)),
    TrainingVariant("batch norm", _STUDENT, _NORMALISED, _unit(Recipe(epochs=5, batch_size=50))),
    TrainingVariant("max pooling", _STUDENT, _POOLED, _sgd(0.05, 8, 150, momentum=0.9)),
    TrainingVariant("untrained", _UNSOUND, _SAME, Recipe(epochs=0)),
    TrainingVariant("neighbour's labels", _UNSOUND, _STRIDED, Recipe(epochs=3), neighbours_labels=True),
    TrainingVariant("hardly learns", _UNSOUND, _SAME, _sgd(1e-4, 1, 128)),
    TrainingVariant("learns slowly", _DOUBTFUL, _two(8, 16), _sgd(1e-3, 3, 128)),
    TrainingVariant("stops early", _DOUBTFUL, _STRIDED, _sgd(0.01, 1, 128)),
    TrainingVariant("too large a step", _DOUBTFUL, _STRIDED, Recipe(epochs=2, learning_rate=0.03)),
)
HONEST = tuple(subject for subject in VARIANTS if subject.kind in {VariantKind.REFERENCE, VariantKind.STUDENT})
MEMORISING = replace(HONEST[0], name="by heart", recipe=Recipe(epochs=12))  # trained on the held-out images themselves

_SMALL = Architecture(blocks=(Block((8,), kernel_size=5, stride=2), Block((16,))))
_TINY = Architecture(blocks=(Block((2,), kernel_size=5, stride=2), Block((4,))))
_LONG = Architecture(blocks=(Block((8, 8), kernel_size=5, stride=2), Block((16, 16)), Block((16,))))
_DROPPED = replace(_STRIDED, dropout=0.5)

WEAK = (
    TrainingVariant("Adam 1e-3, one epoch of 512", _DOUBTFUL, _STRIDED, Recipe(epochs=1, batch_size=512)),
    TrainingVariant("Adam 1e-3, one epoch of 1024", _DOUBTFUL, _STRIDED, Recipe(epochs=1, batch_size=1024)),
    TrainingVariant("Adam 3e-4, one epoch", _DOUBTFUL, _STRIDED, Recipe(epochs=1, batch_size=256, learning_rate=3e-4)),
    TrainingVariant("Adam 1e-4, one epoch", _DOUBTFUL, _STRIDED, Recipe(epochs=1, learning_rate=1e-4)),
    TrainingVariant(
        "Adam 1e-4, two epochs of 32", _DOUBTFUL, _SMALL, Recipe(epochs=2, batch_size=32, learning_rate=1e-4)
    ),
    TrainingVariant("stops early", _DOUBTFUL, _STRIDED, _sgd(0.01, 1, 128)),
    TrainingVariant("SGD 0.01, two epochs", _DOUBTFUL, _STRIDED, _sgd(0.01, 2, 128)),
    TrainingVariant("SGD 0.01, three epochs of 64", _DOUBTFUL, _SMALL, _sgd(0.01, 3, 64)),
    TrainingVariant("SGD 0.1, one epoch of 512", _DOUBTFUL, _STRIDED, _sgd(0.1, 1, 512)),
    TrainingVariant("SGD 0.001, momentum", _DOUBTFUL, _STRIDED, _sgd(0.001, 2, 64, momentum=0.9)),
    TrainingVariant("SGD 0.001, one epoch", _DOUBTFUL, _STRIDED, _sgd(0.001, 1, 128)),
    TrainingVariant("SGD 3e-4, two epochs", _DOUBTFUL, _STRIDED, _sgd(3e-4, 2, 64)),
    TrainingVariant("SGD 1e-4, two epochs", _DOUBTFUL, _STRIDED, _sgd(1e-4, 2, 128)),
    TrainingVariant("SGD 1e-5, two epochs", _UNSOUND, _STRIDED, _sgd(1e-5, 2, 128)),
    TrainingVariant("too large a step", _DOUBTFUL, _STRIDED, Recipe(epochs=2, learning_rate=0.03)),
    TrainingVariant("large step, small network", _DOUBTFUL, _SMALL, Recipe(epochs=2, learning_rate=0.02)),
    TrainingVariant("very small", _DOUBTFUL, _TINY, Recipe(epochs=2)),
    TrainingVariant("very small, SGD 0.01", _DOUBTFUL, _TINY, _sgd(0.01, 3, 64)),
    TrainingVariant("half dropped", _DOUBTFUL, _DROPPED, Recipe(epochs=1)),
    TrainingVariant("five convolutions, SGD 0.01", _DOUBTFUL, _LONG, _unit(_sgd(0.01, 4, 64))),
    TrainingVariant("five convolutions, SGD 0.03", _DOUBTFUL, _LONG, _unit(_sgd(0.03, 3, 64))),
    TrainingVariant("five convolutions, five epochs", _DOUBTFUL, _LONG, _unit(_sgd(0.03, 5, 64))),
    TrainingVariant("neighbour's labels", _UNSOUND, _STRIDED, Recipe(epochs=2), neighbours_labels=True),
    TrainingVariant("strided", _STUDENT, _STRIDED, _sgd(0.01, 4, 100, momentum=0.9)),
    TrainingVariant("Adam 1e-3, two epochs", _STUDENT, _STRIDED, Recipe(epochs=2)),
    TrainingVariant("Adam 1e-4, flat", _DOUBTFUL, _two(8, 16), Recipe(epochs=1, learning_rate=1e-4)),
    TrainingVariant("SGD 0.001, ten epochs", _DOUBTFUL, _SMALL, _sgd(0.001, 10, 128)),
    TrainingVariant("learns slowly", _DOUBTFUL, _two(8, 16), _sgd(1e-3, 3, 128)),
)
