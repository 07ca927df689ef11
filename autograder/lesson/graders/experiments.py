"""What Task 4's experiments share: the models by name, which builds on which, and what each keeps of those before."""

from torch import nn

from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.engine.text import say
from autograder.lesson.graders.architecture import (
    Flow,
    convolutions,
    differences,
    excuses,
    idle_layers,
    regularizers,
    spatial,
    visible_batch,
)
from autograder.lesson.graders.effect import averages_one_pixel
from autograder.lesson.measure import Measurements
from autograder.models.rebuild import Step, StepKind

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
MOST = 4  # pixels a side: average pooling over a map this large is global
SHARED = ("task3_model", "task3_training", "task3_baseline")


class Networks:
    """The student's models by name, as data flows; each raises where it is missing or cannot be read."""

    def __init__(self, measured: Measurements) -> None:
        self.measured = measured
        self._flows: dict[str, Flow] = {}
        self._training: dict[str, list[Flow]] = {}

    def flow(self, name: str) -> Flow:
        """What a model computes in eval mode."""
        if name not in self._flows:
            model = self.measured.rebuilt(name, *blamed(name))
            self._flows[name] = Flow(model, visible_batch(self.measured, model))
        return self._flows[name]

    def training(self, name: str) -> list[Flow]:
        """What a model computes in training mode, where that could be read too: one or none."""
        if name not in self._training:
            models = self.measured.training_graph(name)
            flows = [Flow(model, visible_batch(self.measured, model), training=True) for model in models]
            self._training[name] = flows
        return self._training[name]

    def regularizers(self, name: str) -> set[StepKind]:
        """What regularizes a model's maps: batch norm in either mode, dropout on the way that training takes.

        Raises `UndecidedError` where only a doubtful training graph could say.
        """
        flow, training = self.flow(name), self.training(name)
        doubtful = self.measured.doubts_training(name)
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

    def certain_regularizers(self, name: str) -> set[StepKind]:
        """Return those that a model has for certain: a doubtful one leaves nothing that the next may lose."""
        try:
            return self.regularizers(name)
        except UndecidedError:
            return set()

    def idle(self, name: str, *kinds: StepKind) -> str:
        """Say of the layers of these kinds that do nothing in a model, or nothing in training, why they do not count."""
        flow, training = self.flow(name), self.training(name)
        steps = [step for one in (flow, *training) for step in one.idle(*kinds)]
        if training and StepKind.DROPOUT2D in kinds:
            steps += flow.of(StepKind.DROPOUT2D)
        return excuses(steps)

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
    added = len(_pools(flow, kind)) - len(_pools(base, kind))
    assert added > 0, say(
        pl=f"W sieci {name} nie ma po konwolucjach warstwy {LAYERS[kind]}, której nie miałby już model bazowy: "
        "dodaj ją i przepuść przez nią mapę w forward()." + idle_layers(flow, kind),
        en=f"After the convolutions of {name} there is no {LAYERS[kind]} that the baseline does not have already: "
        "add one and use it in forward()." + idle_layers(flow, kind),
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
    average = flow.averaging(flow.classifiers()[0])
    assert average is None or _is_small_pool(average), say(
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


def _pools(flow: Flow, kind: StepKind) -> list[Step]:
    """Return the pooling steps of this kind after the convolutions; an `nn.AvgPool2d` may leave one pixel."""
    last = flow.after_convolutions(StepKind.GLOBAL_POOL) if kind is StepKind.AVG_POOL else []
    return flow.after_convolutions(kind) + [step for step in last if _is_small_pool(step)]


def _is_small_pool(step: Step) -> bool:
    """Whether a step is average pooling as it stands between convolutions, though it happens to leave one pixel."""
    size = step.layer.kernel_size if isinstance(step.layer, nn.AvgPool2d) else MOST
    return max(size if isinstance(size, tuple) else (size,)) < MOST


def averaged(flow: Flow, name: str) -> None:
    """Fail unless the map is averaged over height and width before the classifier."""
    classifiers = flow.classifiers()
    assert classifiers and flow.averaged(classifiers[0]), say(  # noqa: PT018
        pl=f"W sieci {name} mapa nie jest uśredniana przed warstwą liniową: użyj nn.AdaptiveAvgPool2d(1) albo "
        "x.mean((2, 3)), a liczbę wejść warstwy liniowej ustaw na liczbę kanałów.",
        en=f"In the network {name} the map is not averaged before the linear layer: use nn.AdaptiveAvgPool2d(1) or "
        "x.mean((2, 3)), and give the linear layer as many inputs as there are channels.",
    )


def averages_pixels(flow: Flow, name: str) -> None:
    """Fail where the map that is averaged has one pixel, so that averaging changes nothing."""
    average = flow.averaging(flow.classifiers()[0])
    source = flow.mapped(average) if average else None
    if average is None or source is None:
        return
    size = "×".join(map(str, spatial(source)))
    assert not averages_one_pixel(flow.model, flow.images, average, source), say(
        pl=f"Mapa, którą uśrednia sieć {name}, ma kształt {size} (kanały × wysokość × szerokość), a średnia jest równa jednemu "
        "z pikseli: nie ma czego uśredniać. Mapa musi być większa niż 1×1: dodaj padding=1 w konwolucjach albo usuń jeden "
        "pooling, także w sieciach z eksperymentu 1.",
        en=f"The map that {name} averages is {size} (channels × height × width), and the average equals one of its "
        "pixels: there is nothing to average. The map must be larger than 1×1: give the convolutions padding=1 or take "
        "one pooling out, in experiment 1's networks too.",
    )


def same_convolutions(networks: Networks, name: str) -> None:
    """Fail where the convolutions changed as well: they are those of no experiment before."""
    base, *others = networks.earlier(name)
    ours, theirs = convolutions(networks.flow(name)), convolutions(networks.flow(base))
    assert ours == theirs or any(_alike(networks, name, other) for other in (base, *others)), say(
        pl=f"Konwolucje w sieci {name} ({'; '.join(map(str, ours))}) są inne niż w {base} "
        f"({'; '.join(map(str, theirs))}), a ten eksperyment ich nie zmienia.",
        en=f"The convolutions of {name} ({'; '.join(map(str, ours))}) differ from those of {base} "
        f"({'; '.join(map(str, theirs))}); this experiment leaves them as they are.",
    )


def _alike(networks: Networks, name: str, other: str) -> bool:
    """Whether two models have the same convolutions, all of them or those that do something."""
    flow, before = networks.flow(name), networks.flow(other)
    return any(convolutions(flow, idle=idle) == convolutions(before, idle=idle) for idle in (False, True))


def kept(networks: Networks, name: str) -> None:
    """Fail unless max pooling and global average pooling are still there."""
    flow = networks.flow(name)
    assert flow.of(StepKind.MAX_POOL), say(
        pl=f"W sieci {name} nie ma Max Poolingu, a powinien pozostać z poprzedniego eksperymentu."
        + idle_layers(flow, StepKind.MAX_POOL),
        en=f"The network {name} has no max pooling; it should be kept from the experiment before."
        + idle_layers(flow, StepKind.MAX_POOL),
    )
    averaged(flow, name)
