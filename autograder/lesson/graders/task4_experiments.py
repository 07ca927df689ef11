"""Task 4: five experiments, each built on the one before, each really trained and reported; one training loop."""

import pytest
from torch import nn

from autograder.engine.outcomes import AbsentError, SettledError, UndecidedError, settled
from autograder.engine.text import say
from autograder.lesson.graders.effect import averages_one_pixel
from autograder.lesson.graders.layer_flow import (
    REGULAR,
    LayerFlow,
    changed_parameters,
    convolutions,
    differences,
    excuses,
    idle_layers,
    spatial,
    written_parameters,
)
from autograder.lesson.graders.own_code import training_loops
from autograder.lesson.graders.student_models import (
    AVG,
    CELLS,
    LAYERS,
    MAX,
    averaged,
    blamed,
    earlier,
    in_training,
    kept,
    network,
    regularized_by,
    same_convolutions,
)
from autograder.lesson.graders.training import agree, complete, parameters_printed, really_trained
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import LessonEvidence, ModelProbe
from autograder.models.rebuild import Step, StepKind

PROBES = tuple(ModelProbe(f"{cell}_tests", name) for name, cell in CELLS.items())
LOOP = "task4_single_loop_tests"
TWO = 2  # models that one loop has trained
MOST = 4  # pixels a side: average pooling over a map this large is global
POOLING = {
    MAX: (StepKind.MAX_POOL, StepKind.AVG_POOL, "Sieć z Max Poolingiem", "The network with max pooling"),
    AVG: (StepKind.AVG_POOL, StepKind.MAX_POOL, "Sieć z Average Poolingiem", "The network with average pooling"),
}


@pytest.mark.parametrize(
    ("name", "kind", "other_kind"),
    [
        pytest.param(name, kind, other, marks=pytest.mark.cell("task4_exp1_tests", weight=1, pl=pl, en=en), id=name)
        for name, (kind, other, pl, en) in POOLING.items()
    ],
)
def test_pooling(name: str, kind: StepKind, other_kind: StepKind, measured: Measurements) -> None:
    flow, base = network(measured, name), network(measured, "baseline")
    assert len(pools(flow, kind)) > len(pools(base, kind)), say(
        pl=f"W sieci {name} nie ma po konwolucjach warstwy {LAYERS[kind]}, której nie miałby już model bazowy: "
        "dodaj ją i przepuść przez nią mapę w forward()." + idle_layers(flow, kind),
        en=f"After the convolutions of {name} there is no {LAYERS[kind]} that the baseline does not have already: "
        "add one and use it in forward()." + idle_layers(flow, kind),
    )
    assert len(flow.working(other_kind)) <= len(base.working(other_kind)), say(
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
    assert average is None or is_small_pool(average), say(
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


def pools(flow: LayerFlow, kind: StepKind) -> list[Step]:
    """Return the pooling steps of this kind after the convolutions; an `nn.AvgPool2d` may leave one pixel."""
    last = flow.after_convolutions(StepKind.GLOBAL_POOL) if kind is StepKind.AVG_POOL else []
    return flow.after_convolutions(kind) + [step for step in last if is_small_pool(step)]


def is_small_pool(step: Step) -> bool:
    """Whether a step is average pooling as it stands between convolutions, though it happens to leave one pixel."""
    size = step.layer.kernel_size if isinstance(step.layer, nn.AvgPool2d) else MOST
    return max(size if isinstance(size, tuple) else (size,)) < MOST


@pytest.mark.cell(
    "task4_exp2_tests", weight=2, pl="Global Average Pooling zamiast Flatten", en="GAP in place of flatten"
)
def test_gap(measured: Measurements) -> None:
    flow = network(measured, "gap")
    averaged(flow, "gap")
    average = flow.averaging(flow.classifiers()[0])
    source = flow.mapped(average) if average else None
    size = "×".join(map(str, spatial(source))) if source else ""
    of_pixels = average and source and averages_one_pixel(flow.model, flow.images, average, source)
    assert not of_pixels, say(
        pl=f"Mapa, którą uśrednia sieć gap, ma kształt {size} (kanały × wysokość × szerokość), a średnia jest równa jednemu "
        "z pikseli: nie ma czego uśredniać. Mapa musi być większa niż 1×1: dodaj padding=1 w konwolucjach albo usuń jeden "
        "pooling, także w sieciach z eksperymentu 1.",
        en=f"The map that gap averages is {size} (channels × height × width), and the average equals one of its "
        "pixels: there is nothing to average. The map must be larger than 1×1: give the convolutions padding=1 or take "
        "one pooling out, in experiment 1's networks too.",
    )
    kinds = (StepKind.MAX_POOL, StepKind.AVG_POOL)
    assert flow.working(*kinds), say(
        pl="W sieci gap nie ma poolingu z eksperymentu 1: Global Average Pooling zastępuje tylko Flatten."
        + idle_layers(flow, *kinds),
        en="The network gap has lost experiment 1's pooling: global average pooling only replaces Flatten."
        + idle_layers(flow, *kinds),
    )
    same_convolutions(measured, "gap")


@pytest.mark.cell("task4_exp3_tests", weight=2, pl="BatchNorm2d lub Dropout2d", en="BatchNorm2d or Dropout2d")
def test_regularized(measured: Measurements) -> None:
    flow, training = network(measured, "regularized"), in_training(measured, "regularized")
    plain = flow.working(StepKind.DROPOUT)
    inert = [step for one in (flow, *training) for step in one.idle(*REGULAR)]
    idle = excuses(inert + (flow.working(StepKind.DROPOUT2D) if training else []))  # which training passes by
    assert regularized_by(measured, "regularized"), say(
        pl="W sieci regularized nie ma na drodze od wejścia do wyjścia ani BatchNorm2d, ani Dropout2d"
        + (" (zwykły nn.Dropout to nie to samo co nn.Dropout2d)." if plain else ".")
        + idle,
        en="The network regularized has neither BatchNorm2d nor Dropout2d on the way from input to output"
        + (" (plain nn.Dropout is not nn.Dropout2d)." if plain else ".")
        + idle,
    )
    kept(measured, "regularized")
    same_convolutions(measured, "regularized")


@pytest.mark.cell(
    "task4_exp4_tests", weight=2, pl="Więcej konwolucji, więcej filtrów", en="More convolutions, more filters"
)
def test_deep(measured: Measurements) -> None:
    flow = network(measured, "deep")  # first: a missing model fails whatever the others are
    deep, idle = convolutions(flow), idle_layers(flow, StepKind.CONV)
    base, *_ = earlier(measured, "deep")
    before = convolutions(network(measured, base))
    assert len(deep) > len(before), say(
        pl=f"Liczba konwolucji w sieci deep to {len(deep)}, a w {base} {len(before)}: w deep ma ich być więcej." + idle,
        en=f"The network deep has {len(deep)} convolutions and {base} {len(before)}: deep should have more." + idle,
    )
    first, last = deep[0].out_channels, deep[-1].out_channels
    assert last >= first, say(
        pl=f"Liczba filtrów w ostatniej konwolucji sieci deep to {last}, a w pierwszej {first}: w głąb sieci nie powinna maleć.",
        en=f"In the network deep the last convolution has {last} filters and the first {first}: it should not have fewer.",
    )
    kept(measured, "deep")
    try:
        had = regularized_by(measured, base)
    except UndecidedError:  # an uncertain earlier model requires nothing of this one
        had = set()
    lost = [LAYERS[kind] for kind in sorted(had - regularized_by(measured, "deep"))]
    assert not lost, say(
        pl=f"W sieci deep brakuje tego, co było w {base}: {', '.join(lost)}. Zmień tylko konwolucje.",
        en=f"The network deep has lost {', '.join(lost)} of {base}. Change the convolutions only.",
    )


@pytest.mark.cell("task4_exp5_tests", weight=2, pl="Dwa parametry inne niż domyślne", en="Two parameters off default")
def test_custom(measured: Measurements) -> None:
    flow = network(measured, "custom")
    changed = changed_parameters(flow)
    listed = ", ".join(changed) or say(pl="brak", en="none")
    idle = ", ".join(name for name in written_parameters(flow) if name not in changed)
    assert len(changed) >= 2, say(
        pl=f"Parametry konwolucji sieci custom inne niż domyślne: {listed}. Zmień co najmniej dwa z: stride, dilation, padding."
        + (f" Bez wpływu na wynik: {idle} (tak jak dilation przy jądrze 1×1)." if idle else ""),
        en=f"In custom's convolutions these differ from the defaults: {listed}. Change two or more of stride, dilation, padding."
        + (f" Without effect: {idle} (as dilation of a 1×1 kernel is)." if idle else ""),
    )


def in_each_experiment(*, weight: float, pl: str, en: str, data: bool = False) -> pytest.MarkDecorator:
    """Parametrize a check over the five experiments, each in its own cell."""
    cells = {cell: [name for name in CELLS if CELLS[name] == cell] for cell in CELLS.values()}
    marks = {cell: pytest.mark.cell(f"{cell}_tests", weight=weight, data=data, pl=pl, en=en) for cell in cells}
    return pytest.mark.parametrize("names", [pytest.param(cells[c], marks=marks[c], id=c) for c in cells])


@in_each_experiment(weight=1, data=True, pl="Sieć naprawdę wytrenowana", en="Really trained")
def test_trained(names: list[str], measured: Measurements) -> None:
    for name in names:
        really_trained(measured, name, *blamed(name))


@in_each_experiment(weight=0.5, data=True, pl="Historia i wyniki", en="History and results")
def test_reported(names: list[str], measured: Measurements) -> None:
    for name in names:
        record = measured.record(name, *blamed(name))
        complete(record)
        agree(record, measured.model(name, *blamed(name)))


@in_each_experiment(weight=0.5, pl="Wypisana liczba parametrów", en="Parameter count printed")
def test_printed(names: list[str], measured: Measurements) -> None:
    for name in names:
        parameters_printed(measured, name, *blamed(name))


@pytest.mark.cell(LOOP, data=True, pl="Jedna pętla treningowa w notebooku", en="One training loop in the notebook")
def test_single_loop(measured: Measurements, evidence: LessonEvidence) -> None:
    students = [(index + 1, cell.text) for index, cell in evidence.ran_before(LOOP) if cell.is_students]
    loops = training_loops(students)
    several = say(
        pl=f"Wywołania .backward() są w kilku miejscach: {', '.join(loops)}. Napisz jedną funkcję, która trenuje "
        "podaną sieć, i wywołuj ją w każdym eksperymencie.",
        en=f"The calls of .backward() are in several places: {', '.join(loops)}. Write one function that trains "
        "the network it is given, and call it in each experiment.",
    )
    settled(len(loops) <= 1, several)
    too_few = say(
        pl="Ta część liczy się dopiero wtedy, gdy w models są co najmniej dwie wytrenowane sieci.",
        en="This part counts once models holds at least two trained networks.",
    )
    present = [name for name in ("baseline", *CELLS) if (r := evidence.model(name)) and r.failure is None]
    trained, may_be, undecided = 0, 0, list[UndecidedError]()
    for name in ("baseline", *CELLS):  # the missing too: little data may be why they are
        try:
            really_trained(measured, name, *blamed(name))
            trained += 1
        except (AbsentError, SettledError):
            continue
        except AssertionError:
            may_be += 1
        except UndecidedError as reason:
            undecided.append(reason)
            may_be += reason.more_data
    more_data = trained + may_be >= TWO
    if trained < TWO and undecided and (len(present) >= TWO or more_data):
        raise UndecidedError(str(undecided[0]), more_data=more_data)
    settled(more_data, too_few)
    assert trained >= TWO, too_few
