"""Task 4: five experiments, each built on the one before, each really trained and reported; one training loop."""

import pytest

from autograder.engine.outcomes import AbsentError, UndecidedError, settled
from autograder.engine.text import say
from autograder.lesson.graders.architecture import (
    REGULAR,
    changed_parameters,
    convolutions,
    idle_layers,
    written_parameters,
)
from autograder.lesson.graders.experiments import (
    AVG,
    CELLS,
    LAYERS,
    MAX,
    Networks,
    averaged,
    averages_pixels,
    blamed,
    kept,
    pooled,
    same_convolutions,
)
from autograder.lesson.graders.own_code import training_loops
from autograder.lesson.graders.training import agree, complete, parameters_printed, really_trained
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import LessonEvidence, ModelProbe
from autograder.models.rebuild import StepKind

PROBES = tuple(ModelProbe(f"{cell}_tests", name) for name, cell in CELLS.items())
LOOP = "task4_single_loop_tests"
TWO = 2  # models that one loop has trained

TRAINED = {"weight": 1, "data": True, "pl": "Sieć naprawdę wytrenowana", "en": "Really trained"}
REPORTED = {"weight": 0.5, "data": True, "pl": "Historia i wyniki", "en": "History and results"}
PRINTED = {"weight": 0.5, "pl": "Wypisana liczba parametrów", "en": "Parameter count printed"}


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


@pytest.mark.cell("task4_exp1_tests", **TRAINED)
def test_exp1_trained(measured: Measurements) -> None:
    for name in (MAX, AVG):
        really_trained(measured, name, *blamed(name))


@pytest.mark.cell("task4_exp1_tests", **REPORTED)
def test_exp1_reported(measured: Measurements) -> None:
    for name in (MAX, AVG):
        reported(measured, name)


@pytest.mark.cell("task4_exp1_tests", **PRINTED)
def test_exp1_printed(measured: Measurements, evidence: LessonEvidence) -> None:
    for name in (MAX, AVG):
        printed(measured, evidence, name)


def reported(measured: Measurements, name: str) -> None:
    """Fail unless history and results are there and true."""
    record = measured.record(name, *blamed(name))
    complete(record)
    agree(record, measured.model(name, *blamed(name)))


def printed(measured: Measurements, evidence: LessonEvidence, name: str) -> None:
    """Fail unless the model's parameter count was printed."""
    parameters_printed(measured.record(name, *blamed(name)), measured, evidence, *blamed(name))


# Experiment 2


@pytest.mark.cell(
    "task4_exp2_tests", weight=2, pl="Global Average Pooling zamiast Flatten", en="GAP in place of flatten"
)
def test_gap(networks: Networks) -> None:
    flow = networks.flow("gap")
    averaged(flow, "gap")
    averages_pixels(flow, "gap")
    pools = (StepKind.MAX_POOL, StepKind.AVG_POOL)
    assert flow.of(*pools), say(
        pl="W sieci gap nie ma poolingu z eksperymentu 1: Global Average Pooling zastępuje tylko Flatten."
        + idle_layers(flow, *pools),
        en="The network gap has lost experiment 1's pooling: global average pooling only replaces Flatten."
        + idle_layers(flow, *pools),
    )
    same_convolutions(networks, "gap")


@pytest.mark.cell("task4_exp2_tests", **TRAINED)
def test_exp2_trained(measured: Measurements) -> None:
    really_trained(measured, "gap", *blamed("gap"))


@pytest.mark.cell("task4_exp2_tests", **REPORTED)
def test_exp2_reported(measured: Measurements) -> None:
    reported(measured, "gap")


@pytest.mark.cell("task4_exp2_tests", **PRINTED)
def test_exp2_printed(measured: Measurements, evidence: LessonEvidence) -> None:
    printed(measured, evidence, "gap")


# Experiment 3


@pytest.mark.cell("task4_exp3_tests", weight=2, pl="BatchNorm2d lub Dropout2d", en="BatchNorm2d or Dropout2d")
def test_regularized(networks: Networks) -> None:
    plain = networks.flow("regularized").of(StepKind.DROPOUT)
    idle = networks.idle("regularized", *REGULAR)
    assert networks.regularizers("regularized"), say(
        pl="W sieci regularized nie ma na drodze od wejścia do wyjścia ani BatchNorm2d, ani Dropout2d"
        + (" (zwykły nn.Dropout to nie to samo co nn.Dropout2d)." if plain else ".")
        + idle,
        en="The network regularized has neither BatchNorm2d nor Dropout2d on the way from input to output"
        + (" (plain nn.Dropout is not nn.Dropout2d)." if plain else ".")
        + idle,
    )
    kept(networks, "regularized")
    same_convolutions(networks, "regularized")


@pytest.mark.cell("task4_exp3_tests", **TRAINED)
def test_exp3_trained(measured: Measurements) -> None:
    really_trained(measured, "regularized", *blamed("regularized"))


@pytest.mark.cell("task4_exp3_tests", **REPORTED)
def test_exp3_reported(measured: Measurements) -> None:
    reported(measured, "regularized")


@pytest.mark.cell("task4_exp3_tests", **PRINTED)
def test_exp3_printed(measured: Measurements, evidence: LessonEvidence) -> None:
    printed(measured, evidence, "regularized")


# Experiment 4


@pytest.mark.cell(
    "task4_exp4_tests", weight=2, pl="Więcej konwolucji, więcej filtrów", en="More convolutions, more filters"
)
def test_deep(networks: Networks) -> None:
    flow = networks.flow("deep")  # first: absent is absent, whatever the others are
    deep, idle = convolutions(flow), idle_layers(flow, StepKind.CONV)
    base, *_ = networks.earlier("deep")
    before = convolutions(networks.flow(base))
    assert len(deep) > len(before), say(
        pl=f"Liczba konwolucji w sieci deep to {len(deep)}, a w {base} {len(before)}: w deep ma ich być więcej." + idle,
        en=f"The network deep has {len(deep)} convolutions and {base} {len(before)}: deep should have more." + idle,
    )
    first, last = deep[0].out_channels, deep[-1].out_channels
    assert last >= first, say(
        pl=f"Liczba filtrów w ostatniej konwolucji sieci deep to {last}, a w pierwszej {first}: w głąb sieci nie powinna maleć.",
        en=f"In the network deep the last convolution has {last} filters and the first {first}: it should not have fewer.",
    )
    kept(networks, "deep")
    lost = [LAYERS[kind] for kind in sorted(networks.certain_regularizers(base) - networks.regularizers("deep"))]
    assert not lost, say(
        pl=f"W sieci deep brakuje tego, co było w {base}: {', '.join(lost)}. Zmień tylko konwolucje.",
        en=f"The network deep has lost {', '.join(lost)} of {base}. Change the convolutions only.",
    )


@pytest.mark.cell("task4_exp4_tests", **TRAINED)
def test_exp4_trained(measured: Measurements) -> None:
    really_trained(measured, "deep", *blamed("deep"))


@pytest.mark.cell("task4_exp4_tests", **REPORTED)
def test_exp4_reported(measured: Measurements) -> None:
    reported(measured, "deep")


@pytest.mark.cell("task4_exp4_tests", **PRINTED)
def test_exp4_printed(measured: Measurements, evidence: LessonEvidence) -> None:
    printed(measured, evidence, "deep")


# Experiment 5


@pytest.mark.cell("task4_exp5_tests", weight=2, pl="Dwa parametry inne niż domyślne", en="Two parameters off default")
def test_custom(networks: Networks) -> None:
    flow = networks.flow("custom")
    changed = changed_parameters(flow)
    said = ", ".join(changed) or say(pl="brak", en="none")
    idle = ", ".join(name for name in written_parameters(flow) if name not in changed)
    assert len(changed) >= 2, say(
        pl=f"Parametry konwolucji sieci custom inne niż domyślne: {said}. Zmień co najmniej dwa z: stride, dilation, padding."
        + (f" Bez wpływu na wynik: {idle} (tak jak dilation przy jądrze 1×1)." if idle else ""),
        en=f"In custom's convolutions these differ from the defaults: {said}. Change two or more of stride, dilation, padding."
        + (f" Without effect: {idle} (as dilation of a 1×1 kernel is)." if idle else ""),
    )


@pytest.mark.cell("task4_exp5_tests", **TRAINED)
def test_exp5_trained(measured: Measurements) -> None:
    really_trained(measured, "custom", *blamed("custom"))


@pytest.mark.cell("task4_exp5_tests", **REPORTED)
def test_exp5_reported(measured: Measurements) -> None:
    reported(measured, "custom")


@pytest.mark.cell("task4_exp5_tests", **PRINTED)
def test_exp5_printed(measured: Measurements, evidence: LessonEvidence) -> None:
    printed(measured, evidence, "custom")


# One loop


@pytest.mark.cell(LOOP, data=True, pl="Jedna pętla treningowa w notebooku", en="One training loop in the notebook")
def test_single_loop(measured: Measurements, evidence: LessonEvidence) -> None:
    students = [(index + 1, cell.text) for index, cell in evidence.ran_before(LOOP) if cell.is_students]
    loops = training_loops(students)
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
        pl="Ta część liczy się dopiero wtedy, gdy w models są co najmniej dwie wytrenowane sieci.",
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
    """Whether a model is there and really trained; where that cannot be measured, the reason is added."""
    try:
        really_trained(measured, name, *blamed(name))
    except (AbsentError, AssertionError):
        return False
    except UndecidedError as reason:
        undecided.append(reason)
        return False
    return True
