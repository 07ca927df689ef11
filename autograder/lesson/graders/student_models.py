"""The student's models by name: which one builds on which, and checks of what each must keep from earlier ones."""

from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.engine.text import say
from autograder.lesson.graders.layer_flow import (
    LayerFlow,
    convolutions,
    idle_layers,
    regularizers,
    visible_batch,
)
from autograder.lesson.measure import Measurements
from autograder.models.rebuild import StepKind

MAX, AVG = "max_pool", "avg_pool"
CELLS = {
    MAX: "task4_exp1",
    AVG: "task4_exp1",
    "gap": "task4_exp2",
    "regularized": "task4_exp3",
    "deep": "task4_exp4",
    "custom": "task4_exp5",
}
ORDER = ("baseline", AVG, MAX, "gap", "regularized", "deep", "custom")
LAYERS = {
    StepKind.MAX_POOL: "nn.MaxPool2d",
    StepKind.AVG_POOL: "nn.AvgPool2d",
    StepKind.BATCH_NORM: "nn.BatchNorm2d",
    StepKind.DROPOUT2D: "nn.Dropout2d",
}
BASELINE = ("task3_model", "task3_training", "task3_baseline")
"""The solution cells of the baseline; every experiment builds on them."""


def blamed(name: str) -> tuple[str, ...]:
    """Return the solution cells that may have caused a missing model."""
    return (CELLS[name], *BASELINE) if name in CELLS else BASELINE


def network(measured: Measurements, name: str) -> LayerFlow:
    """Return what a model computes in eval mode; raises where it is missing or cannot be read."""
    model = measured.rebuilt(name, *blamed(name))
    return LayerFlow(model, visible_batch(measured, model))


def in_training(measured: Measurements, name: str) -> list[LayerFlow]:
    """Return what a model computes in training mode, where that could be read too: one or none."""
    models = measured.training_graph(name)
    return [LayerFlow(model, visible_batch(measured, model), training=True) for model in models]


def regularized_by(measured: Measurements, name: str) -> set[StepKind]:
    """Return what regularizes a model's maps: batch norm in either mode, dropout on the way that training takes.

    Raises `UndecidedError` where only a doubtful training graph could say.
    """
    flow, training = network(measured, name), in_training(measured, name)
    doubtful = measured.doubts_training(name)
    found = {kind for one in (flow, *training) for kind in regularizers(one)}
    on_the_way = training or ([] if doubtful else [flow])
    if not any(StepKind.DROPOUT2D in regularizers(one) for one in on_the_way):
        found.discard(StepKind.DROPOUT2D)
    if not found and doubtful:
        raise UndecidedError(
            say(
                pl=f"Sieć {name} w trybie train() liczy coś innego niż w eval(), nie tylko przez dropout i batch norm, więc "
                "jej regularyzację oceni osoba prowadząca.",
                en=f"In train() mode the network {name} computes something else than in eval(), by more than dropout and "
                "batch norm, so a person will judge its regularization.",
            )
        )
    return found


def earlier(measured: Measurements, name: str) -> list[str]:
    """Return the models that this one may build on, nearest first, without the missing ones (unless all are)."""
    *before, last = ORDER[: ORDER.index(name)]
    found = []
    for other in (last, *reversed(before)):
        try:
            network(measured, other)
        except AbsentError:
            continue
        found.append(other)
    return found or [last]


def averaged(flow: LayerFlow, name: str) -> None:
    """Fail unless the map is averaged over height and width before the classifier."""
    classifiers = flow.classifiers()
    assert classifiers and flow.averaging(classifiers[0]), say(  # noqa: PT018
        pl=f"W sieci {name} mapa nie jest uśredniana przed warstwą liniową: użyj nn.AdaptiveAvgPool2d(1) albo "
        "x.mean((2, 3)), a liczbę wejść warstwy liniowej ustaw na liczbę kanałów.",
        en=f"In the network {name} the map is not averaged before the linear layer: use nn.AdaptiveAvgPool2d(1) or "
        "x.mean((2, 3)), and give the linear layer as many inputs as there are channels.",
    )


def same_convolutions(measured: Measurements, name: str) -> None:
    """Fail unless the convolutions equal an earlier model's, with or without those that have no effect."""
    flow, before = network(measured, name), earlier(measured, name)
    ours, theirs = convolutions(flow), convolutions(network(measured, before[0]))
    others = (network(measured, other) for other in before)
    pairs = ((other, idle) for other in others for idle in (False, True))
    assert any(convolutions(flow, idle=idle) == convolutions(other, idle=idle) for other, idle in pairs), say(
        pl=f"Konwolucje w sieci {name} ({'; '.join(map(str, ours))}) są inne niż w {before[0]} "
        f"({'; '.join(map(str, theirs))}), a ten eksperyment ich nie zmienia.",
        en=f"The convolutions of {name} ({'; '.join(map(str, ours))}) differ from those of {before[0]} "
        f"({'; '.join(map(str, theirs))}); this experiment leaves them as they are.",
    )


def kept(measured: Measurements, name: str) -> None:
    """Fail unless max pooling and global average pooling are still there."""
    flow = network(measured, name)
    assert flow.working(StepKind.MAX_POOL), say(
        pl=f"W sieci {name} nie ma Max Poolingu, a powinien pozostać z poprzedniego eksperymentu."
        + idle_layers(flow, StepKind.MAX_POOL),
        en=f"The network {name} has no max pooling; it should be kept from the experiment before."
        + idle_layers(flow, StepKind.MAX_POOL),
    )
    averaged(flow, name)
