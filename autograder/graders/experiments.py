"""What Task 4's experiments share: the models by name, which builds on which, and what each keeps of those before."""

from autograder.graders.flow import Flow
from autograder.graders.skeleton import convolutions, differences, regularizers
from autograder.language import say
from autograder.lift import StepKind
from autograder.measuring.measure import Measurements
from autograder.measuring.verdicts import AbsentError

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
SHARED = ("task3_model", "task3_training", "task3_baseline")


class Networks:
    """The student's models by name, as data flows; each raises where it is missing or cannot be read."""

    def __init__(self, measured: Measurements) -> None:
        self.measured = measured

    def flow(self, name: str) -> Flow:
        """What a model computes in eval mode."""
        return Flow(self.measured.lifted(name, *blamed(name)))

    def regularizers(self, name: str) -> set[StepKind]:
        """What regularizes a model's maps, in eval mode or in training."""
        flows = [self.flow(name), *map(Flow, self.measured.training_graph(name))]
        return {kind for flow in flows for kind in regularizers(flow)}

    def earlier(self, name: str) -> list[str]:
        """Return the models that this one may build on, nearest first; a missing one costs its own points only."""
        *before, last = ORDER[: ORDER.index(name)]
        there = [other for other in (last, *reversed(before)) if self._is_there(other)]
        return there or [last]

    def _is_there(self, name: str) -> bool:
        try:
            self.flow(name)
        except AbsentError:
            return False
        return True


def blamed(name: str) -> tuple[str, ...]:
    """The solution cells that a missing model may be the fault of."""
    return (CELLS.get(name, "task3_baseline"), *SHARED)


def pooled(networks: Networks, name: str, kind: StepKind) -> None:
    """Fail unless the model is the baseline plus pooling of this kind, alike in all else."""
    flow, base = networks.flow(name), networks.flow("baseline")
    added = len(flow.after_convolutions(kind)) - len(base.after_convolutions(kind))
    assert added > 0, say(
        pl=f"W sieci {name} nie ma po konwolucjach warstwy {LAYERS[kind]}, której nie miałby już model bazowy: "
        "dodaj ją i przepuść przez nią mapę w forward().",
        en=f"After the convolutions of {name} there is no {LAYERS[kind]} that the baseline does not have already: "
        "add one and use it in forward().",
    )
    other_kind = StepKind.AVG_POOL if kind is StepKind.MAX_POOL else StepKind.MAX_POOL
    assert len(flow.of(other_kind)) <= len(base.of(other_kind)), say(
        pl=f"W sieci {name} jest też {LAYERS[other_kind]}: żeby porównać oba rodzaje poolingu, użyj w każdej z tych "
        "dwóch sieci tylko jednego.",
        en=f"The network {name} has {LAYERS[other_kind]} as well: to compare the two kinds of pooling, use only one of "
        "them in each of the two networks.",
    )
    assert flow.classifiers(), say(
        pl=f"W sieci {name} po konwolucjach nie ma warstwy liniowej, a model bazowy ją ma.",
        en=f"In the network {name} no linear layer follows the convolutions as in the baseline.",
    )
    assert not flow.averaged(flow.classifiers()[0]), say(
        pl=f"Sieć {name} uśrednia mapę przed klasyfikatorem, a w tym eksperymencie zostaje jeszcze Flatten.",
        en=f"The network {name} averages the map before the classifier; in this experiment Flatten stays.",
    )
    other = differences(flow, base)
    assert not other, say(
        pl=f"Sieć {name} różni się od modelu bazowego nie tylko poolingiem, ale też: {', '.join(other)}. Żeby wiedzieć, "
        "skąd wzięła się różnica, zmień tylko jedną rzecz.",
        en=f"The network {name} differs from the baseline not only in pooling but in {', '.join(other)}. To know "
        "where a difference comes from, change one thing only.",
    )


def averaged(flow: Flow, name: str) -> None:
    """Fail unless the map is averaged over height and width before the classifier."""
    classifiers = flow.classifiers()
    assert classifiers and flow.averaged(classifiers[0]), say(  # noqa: PT018
        pl=f"W sieci {name} mapa nie jest uśredniana przed warstwą liniową: użyj nn.AdaptiveAvgPool2d(1) albo "
        "x.mean((2, 3)), a liczbę wejść warstwy liniowej ustaw na liczbę kanałów.",
        en=f"In the network {name} the map is not averaged before the linear layer: use nn.AdaptiveAvgPool2d(1) or "
        "x.mean((2, 3)), and give the linear layer as many inputs as there are channels.",
    )


def same_convolutions(networks: Networks, name: str) -> None:
    """Fail where the convolutions changed as well: they are those of no experiment before."""
    base, *others = networks.earlier(name)
    ours, theirs = convolutions(networks.flow(name)), convolutions(networks.flow(base))
    assert ours == theirs or any(ours == convolutions(networks.flow(other)) for other in others), say(
        pl=f"Konwolucje w sieci {name} ({'; '.join(map(str, ours))}) są inne niż w {base} "
        f"({'; '.join(map(str, theirs))}), a ten eksperyment ich nie zmienia.",
        en=f"The convolutions of {name} ({'; '.join(map(str, ours))}) differ from those of {base} "
        f"({'; '.join(map(str, theirs))}); this experiment leaves them as they are.",
    )


def kept(networks: Networks, name: str) -> None:
    """Fail unless max pooling and global average pooling are still there."""
    flow = networks.flow(name)
    assert flow.of(StepKind.MAX_POOL), say(
        pl=f"W sieci {name} nie ma Max Poolingu, a powinien pozostać z poprzedniego eksperymentu.",
        en=f"The network {name} has no max pooling; it should be kept from the experiment before.",
    )
    averaged(flow, name)
