"""The baseline of Task 3 and the experiments of Task 4, each as what changed against the one before.

Read from the top: every record says what is new in it and why one would try it.
"""

from dataclasses import dataclass, replace

from reference.zoo import Architecture, Block, Head, Pooling


@dataclass(frozen=True)
class Experiment:
    """One network of the assignment. `name` is its key in the student's `models`."""

    name: str
    change: str
    reason: str
    architecture: Architecture


BASELINE = Experiment(
    name="baseline",
    change="two convolutions with ReLU, flattened into one linear layer",
    reason="the simplest network that meets Task 3; all that follows is measured against it",
    architecture=Architecture(blocks=(Block((16,)), Block((32,)))),
)

MAX_POOL = Experiment(
    name="max_pool",
    change="baseline, and 2x2 max pooling after each convolution",
    reason="smaller maps: 23 times fewer weights in the classifier, and small shifts matter less",
    architecture=replace(BASELINE.architecture, pooling=Pooling.MAX),
)

AVG_POOL = Experiment(
    name="avg_pool",
    change="baseline, and 2x2 average pooling after each convolution",
    reason="the same sizes as max_pool, so only the kind of pooling differs",
    architecture=replace(BASELINE.architecture, pooling=Pooling.AVERAGE),
)

GAP = Experiment(
    name="gap",
    change="max_pool, with global average pooling in place of flatten",
    reason="one number a feature map: hardly any weights in the classifier, but where is lost",
    architecture=replace(MAX_POOL.architecture, head=Head.GAP),
)

REGULARIZED = Experiment(
    name="regularized",
    change="gap, and batch normalisation after each convolution, 2-D dropout after each block",
    reason="normalised maps train faster; dropping whole maps keeps them from relying on another",
    architecture=replace(GAP.architecture, batch_norm=True, dropout=0.05),
)

DEEP = Experiment(
    name="deep",
    change="regularized with five convolutions in place of two, 16 to 128 filters",
    reason="a wider receptive field and more kinds of features before the average is taken",
    architecture=replace(
        REGULARIZED.architecture,
        blocks=(Block((16, 32)), Block((32, 64)), Block((128,), pooled=False)),
    ),
)

CUSTOM = Experiment(
    name="custom",
    change="deep with padding 1 and, in the third block, stride 2",
    reason="padding keeps the border's pixels; stride halves the maps where they are many",
    architecture=replace(
        DEEP.architecture,
        blocks=(
            Block((16, 32), padding=1),
            Block((32, 64), padding=1),
            Block((128, 128), padding=1, stride=2, pooled=False),
        ),
    ),
)

EXPERIMENTS = (BASELINE, MAX_POOL, AVG_POOL, GAP, REGULARIZED, DEEP, CUSTOM)


def for_images(experiment: Experiment, shape: tuple[int, int, int]) -> Architecture:
    """Return the experiment's network for images of `shape` (C, H, W)."""
    return replace(experiment.architecture, shape=shape)
