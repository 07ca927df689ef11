"""Task 4: five experiments, each built on the one before, each really trained and reported; one training loop."""

import pytest

from autograder.evidence import Evidence
from autograder.graders.flow import Flow
from autograder.graders.loops import training_loops
from autograder.graders.skeleton import changed_parameters, convolutions, differences, regularizers
from autograder.graders.training import agree, complete, parameters_printed, really_trained
from autograder.language import say
from autograder.lift import StepKind
from autograder.measure import REALLY_TRAINED, Measurements
from autograder.probes import ModelProbe
from autograder.verdicts import AbsentError, UndecidedError, settled

MAX, AVG = "max_pool", "avg_pool"
CELLS = {
    MAX: "task4_exp1",
    AVG: "task4_exp1",
    "gap": "task4_exp2",
    "regularized": "task4_exp3",
    "deep": "task4_exp4",
    "custom": "task4_exp5",
}
PROBES = tuple(ModelProbe(f"{cell}_tests", name) for name, cell in CELLS.items())
ORDER = ("baseline", AVG, MAX, "gap", "regularized", "deep", "custom")
LAYERS = {
    StepKind.MAX_POOL: "nn.MaxPool2d",
    StepKind.AVG_POOL: "nn.AvgPool2d",
    StepKind.BATCH_NORM: "nn.BatchNorm2d",
    StepKind.DROPOUT2D: "nn.Dropout2d",
}
SHARED = ("task3_model", "task3_training", "task3_baseline")
LOOP = "task4_single_loop_tests"
TWO = 2  # models that one loop has trained

TRAINED = {"weight": 1, "data": True, "pl": "Sieć naprawdę wytrenowana", "en": "Really trained"}
REPORTED = {"weight": 0.5, "data": True, "pl": "Historia i wyniki", "en": "History and results"}
PRINTED = {"weight": 0.5, "pl": "Wypisana liczba parametrów", "en": "Parameter count printed"}


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


@pytest.fixture(scope="module")
def networks(measured: Measurements) -> Networks:
    """The models under judgement."""
    return Networks(measured)


# Experiment 1


@pytest.mark.cell("task4_exp1_tests", weight=1, pl="Sieć z Max Poolingiem", en="The network with max pooling")
def test_max_pool(networks: Networks) -> None:
    pooled(networks, MAX, StepKind.MAX_POOL)


@pytest.mark.cell("task4_exp1_tests", weight=1, pl="Sieć z Average Poolingiem", en="The network with average pooling")
def test_avg_pool(networks: Networks) -> None:
    pooled(networks, AVG, StepKind.AVG_POOL)


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
        pl=f"W sieci {name} po konwolucjach nie ma warstwy liniowej, którą ma model bazowy.",
        en=f"In the network {name} no linear layer follows the convolutions as in the baseline.",
    )
    assert not flow.averaged(flow.classifiers()[0]), say(
        pl=f"Sieć {name} uśrednia mapę przed klasyfikatorem; w tym eksperymencie zostaje Flatten.",
        en=f"The network {name} averages the map before the classifier; in this experiment Flatten stays.",
    )
    other = differences(flow, base)
    assert not other, say(
        pl=f"Sieć {name} różni się od modelu bazowego nie tylko poolingiem, ale też: {', '.join(other)}. Żeby wiedzieć, "
        "skąd wzięła się różnica, zmień tylko jedną rzecz.",
        en=f"The network {name} differs from the baseline not only in pooling but in {', '.join(other)}. To know "
        "where a difference comes from, change one thing only.",
    )


@pytest.mark.cell("task4_exp1_tests", **TRAINED)
def test_exp1_trained(measured: Measurements) -> None:
    for name in (MAX, AVG):
        really_trained(measured.of(name, *blamed(name)), name)


@pytest.mark.cell("task4_exp1_tests", **REPORTED)
def test_exp1_reported(measured: Measurements) -> None:
    for name in (MAX, AVG):
        reported(measured, name)


@pytest.mark.cell("task4_exp1_tests", **PRINTED)
def test_exp1_printed(measured: Measurements, evidence: Evidence) -> None:
    for name in (MAX, AVG):
        printed(measured, evidence, name)


def reported(measured: Measurements, name: str) -> None:
    """Fail unless history and results are there and true."""
    record = measured.record(name, *blamed(name))
    complete(record)
    agree(record, measured.of(name, *blamed(name)))


def printed(measured: Measurements, evidence: Evidence, name: str) -> None:
    """Fail unless the model's parameter count was printed."""
    parameters_printed(measured.record(name, *blamed(name)), measured, evidence, *blamed(name))


# Experiment 2


@pytest.mark.cell(
    "task4_exp2_tests", weight=2, pl="Global Average Pooling zamiast Flatten", en="GAP in place of flatten"
)
def test_gap(networks: Networks) -> None:
    flow = networks.flow("gap")
    averaged(flow, "gap")
    assert flow.of(StepKind.MAX_POOL, StepKind.AVG_POOL), say(
        pl="W sieci gap nie ma poolingu z eksperymentu 1: uśrednianie globalne zastępuje tylko Flatten.",
        en="The network gap has lost experiment 1's pooling: global averaging only replaces Flatten.",
    )
    same_convolutions(networks, "gap")


def averaged(flow: Flow, name: str) -> None:
    """Fail unless the map is averaged over height and width before the classifier."""
    classifiers = flow.classifiers()
    assert classifiers and flow.averaged(classifiers[0]), say(  # noqa: PT018
        pl=f"W sieci {name} mapa nie jest uśredniana przed warstwą liniową: użyj nn.AdaptiveAvgPool2d(1) albo "
        "x.mean((2, 3)), a wejście warstwy liniowej ustaw na liczbę kanałów.",
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


@pytest.mark.cell("task4_exp2_tests", **TRAINED)
def test_exp2_trained(measured: Measurements) -> None:
    really_trained(measured.of("gap", *blamed("gap")), "gap")


@pytest.mark.cell("task4_exp2_tests", **REPORTED)
def test_exp2_reported(measured: Measurements) -> None:
    reported(measured, "gap")


@pytest.mark.cell("task4_exp2_tests", **PRINTED)
def test_exp2_printed(measured: Measurements, evidence: Evidence) -> None:
    printed(measured, evidence, "gap")


# Experiment 3


@pytest.mark.cell("task4_exp3_tests", weight=2, pl="BatchNorm2d lub Dropout2d", en="BatchNorm2d or Dropout2d")
def test_regularized(networks: Networks) -> None:
    plain = networks.flow("regularized").of(StepKind.DROPOUT)
    assert networks.regularizers("regularized"), say(
        pl="W sieci regularized nie ma na drodze od wejścia do wyjścia ani BatchNorm2d, ani Dropout2d"
        + (" (zwykły nn.Dropout to nie to samo co nn.Dropout2d)." if plain else "."),
        en="The network regularized has neither BatchNorm2d nor Dropout2d on the way from input to output"
        + (" (plain nn.Dropout is not nn.Dropout2d)." if plain else "."),
    )
    kept(networks, "regularized")
    same_convolutions(networks, "regularized")


def kept(networks: Networks, name: str) -> None:
    """Fail unless max pooling and global average pooling are still there."""
    flow = networks.flow(name)
    assert flow.of(StepKind.MAX_POOL), say(
        pl=f"W sieci {name} nie ma Max Poolingu, a powinien zostać z poprzedniego eksperymentu.",
        en=f"The network {name} has no max pooling; it should be kept from the experiment before.",
    )
    averaged(flow, name)


@pytest.mark.cell("task4_exp3_tests", **TRAINED)
def test_exp3_trained(measured: Measurements) -> None:
    really_trained(measured.of("regularized", *blamed("regularized")), "regularized")


@pytest.mark.cell("task4_exp3_tests", **REPORTED)
def test_exp3_reported(measured: Measurements) -> None:
    reported(measured, "regularized")


@pytest.mark.cell("task4_exp3_tests", **PRINTED)
def test_exp3_printed(measured: Measurements, evidence: Evidence) -> None:
    printed(measured, evidence, "regularized")


# Experiment 4


@pytest.mark.cell(
    "task4_exp4_tests", weight=2, pl="Więcej konwolucji, więcej filtrów", en="More convolutions, more filters"
)
def test_deep(networks: Networks) -> None:
    base, *_ = networks.earlier("deep")
    deep, before = convolutions(networks.flow("deep")), convolutions(networks.flow(base))
    assert len(deep) > len(before), say(
        pl=f"Liczba konwolucji w sieci deep to {len(deep)}, a w {base} {len(before)}: w deep ma ich być więcej.",
        en=f"The network deep has {len(deep)} convolutions and {base} {len(before)}: deep should have more.",
    )
    first, last = deep[0].out_channels, deep[-1].out_channels
    assert last >= first, say(
        pl=f"W sieci deep ostatnia konwolucja ma {last} filtrów, a pierwsza {first}: w głąb sieci liczba filtrów rośnie.",
        en=f"In the network deep the last convolution has {last} filters and the first {first}: they grow with depth.",
    )
    kept(networks, "deep")
    lost = [LAYERS[kind] for kind in sorted(networks.regularizers(base) - networks.regularizers("deep"))]
    assert not lost, say(
        pl=f"Z sieci {base} zniknęło w deep: {', '.join(lost)}. Zmień tylko konwolucje.",
        en=f"The network deep has lost {', '.join(lost)} of {base}. Change the convolutions only.",
    )


@pytest.mark.cell("task4_exp4_tests", **TRAINED)
def test_exp4_trained(measured: Measurements) -> None:
    really_trained(measured.of("deep", *blamed("deep")), "deep")


@pytest.mark.cell("task4_exp4_tests", **REPORTED)
def test_exp4_reported(measured: Measurements) -> None:
    reported(measured, "deep")


@pytest.mark.cell("task4_exp4_tests", **PRINTED)
def test_exp4_printed(measured: Measurements, evidence: Evidence) -> None:
    printed(measured, evidence, "deep")


# Experiment 5


@pytest.mark.cell("task4_exp5_tests", weight=2, pl="Dwa parametry inne niż domyślne", en="Two parameters off default")
def test_custom(networks: Networks) -> None:
    changed = changed_parameters(networks.flow("custom"))
    said = ", ".join(changed) or say(pl="żadne", en="none")
    assert len(changed) >= 2, say(
        pl=f"W konwolucjach sieci custom od domyślnych różnią się: {said}. Zmień co najmniej dwa z: stride, dilation, padding.",
        en=f"In the convolutions of custom these differ from the defaults: {said}. Change two of stride, dilation, padding.",
    )


@pytest.mark.cell("task4_exp5_tests", **TRAINED)
def test_exp5_trained(measured: Measurements) -> None:
    really_trained(measured.of("custom", *blamed("custom")), "custom")


@pytest.mark.cell("task4_exp5_tests", **REPORTED)
def test_exp5_reported(measured: Measurements) -> None:
    reported(measured, "custom")


@pytest.mark.cell("task4_exp5_tests", **PRINTED)
def test_exp5_printed(measured: Measurements, evidence: Evidence) -> None:
    printed(measured, evidence, "custom")


# One loop


@pytest.mark.cell(LOOP, data=True, pl="Jedna pętla treningowa w notatniku", en="One training loop in the notebook")
def test_single_loop(measured: Measurements, evidence: Evidence) -> None:
    loops = training_loops(evidence.notebook)
    settled(
        len(loops) <= 1,
        say(
            pl=f"Wywołania .backward() są w kilku miejscach: {', '.join(loops)}. Napisz jedną funkcję, która trenuje "
            "podaną sieć, i wywołuj ją w każdym eksperymencie.",
            en=f"The calls of .backward() are in several places: {', '.join(loops)}. Write one function that trains "
            "the network it is given, and call it in each experiment.",
        ),
    )
    too_few = say(
        pl="Ta część liczy się, gdy w models są co najmniej dwie wytrenowane sieci.",
        en="This part counts once models holds at least two trained networks.",
    )
    present = [name for name in ("baseline", *CELLS) if (r := evidence.model(name)) and r.failure is None]
    settled(len(present) >= TWO, too_few)
    undecided: list[UndecidedError] = []
    trained = sum(is_trained(measured, name, undecided) for name in present)
    if trained < TWO and undecided:
        raise undecided[0]
    assert trained >= TWO, too_few


def is_trained(measured: Measurements, name: str, undecided: list[UndecidedError]) -> bool:
    """Whether a model is there and does better than chance; where that cannot be measured, the reason is added."""
    try:
        return measured.of(name, *blamed(name)).held_out.accuracy >= REALLY_TRAINED
    except AbsentError:
        return False
    except UndecidedError as reason:
        undecided.append(reason)
        return False
