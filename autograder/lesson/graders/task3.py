"""Task 3: the baseline's architecture, its training, its accuracy."""

import pytest

from autograder.engine.text import number, say
from autograder.lesson.graders.ablation import dependence
from autograder.lesson.graders.architecture import Flow, idle_layers, spatial, visible_batch
from autograder.lesson.graders.training import agree, complete, curves_shown, fell, parameters_printed, steps_taken
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import DataProbe, LessonEvidence, ModelProbe, ModelRecord
from autograder.lesson.thresholds import threshold
from autograder.models.rebuild import StepKind

ARCHITECTURE = "task3_architecture_tests"
TRAINING = "task3_training_tests"
ACCURACY = "task3_accuracy_tests"
NAME = "baseline"
ESSENTIAL = 0.5  # of the variance of the scores must come through the convolutions
SOLUTIONS = ("task3_model", "task3_training", "task3_baseline")

PROBES = (DataProbe(ARCHITECTURE, "testset"), ModelProbe(ARCHITECTURE, NAME))


@pytest.fixture(scope="module")
def flow(measured: Measurements) -> Flow:
    """The baseline's data flow."""
    model = measured.rebuilt(NAME, *SOLUTIONS)
    return Flow(model, visible_batch(measured, model))


@pytest.fixture(scope="module")
def record(measured: Measurements) -> ModelRecord:
    """What the notebook says of the baseline."""
    return measured.record(NAME, *SOLUTIONS)


@pytest.mark.cell(
    ARCHITECTURE,
    weight=2,
    pl="Co najmniej dwa bloki: konwolucje i funkcja aktywacji",
    en="At least two blocks of convolutions, each ended by an activation",
)
def test_groups(flow: Flow) -> None:
    groups, idle = flow.groups(), idle_layers(flow, StepKind.CONV, StepKind.ACTIVATION)
    assert groups >= 2, say(
        pl=f"Liczba bloków „konwolucje + aktywacja” na drodze od wejścia do wyjścia: {groups}, a potrzebne są co najmniej "
        "dwa. Liczą się tylko warstwy używane w forward(), a po konwolucjach musi być aktywacja, np. ReLU." + idle,
        en=f"On the way from input to output there are {groups} blocks of convolutions with an activation; at least "
        "two are needed. Only layers used in forward() count, and an activation such as ReLU must follow." + idle,
    )
    assert dependence(flow.model, flow.of(StepKind.CONV), flow.images) >= ESSENTIAL, say(
        pl="Wynik sieci prawie nie zależy od konwolucji: bez nich zwraca niemal to samo. Klasyfikator ma czytać mapę, "
        "którą one policzyły.",
        en="The network's answer hardly depends on its convolutions: without them it returns almost the same. "
        "The classifier should read the map that they computed.",
    )


@pytest.mark.cell(
    ARCHITECTURE,
    weight=2,
    pl="Mapa spłaszczona (Flatten) na wejściu warstwy liniowej",
    en="The map flattened into a linear layer",
)
def test_flatten(flow: Flow) -> None:
    classifiers = flow.classifiers()
    assert classifiers, say(
        pl="Po konwolucjach nie ma warstwy liniowej, która dostaje ich mapę: dodaj nn.Flatten i nn.Linear.",
        en="No linear layer reads the convolutions' map: add nn.Flatten and nn.Linear.",
    )
    assert not flow.averaged(classifiers[0]), say(
        pl="Mapa jest uśredniana (Global Average Pooling), a na tym etapie ma być spłaszczona: użyj Flatten. "
        "Uśrednianie przyda się w zadaniu 4, w eksperymencie 2.",
        en="The map is averaged (global average pooling); at this stage it should be flattened: use Flatten. "
        "Averaging comes in Task 4, experiment 2.",
    )
    source = flow.flattened(classifiers[0])
    assert source is not None and classifiers[0].layer is not None, say(  # noqa: PT018
        pl="Warstwa liniowa nie dostaje spłaszczonej mapy (B, C·H·W).",
        en="The linear layer does not get the flattened map (B, C·H·W).",
    )
    c, h, w = spatial(source)
    features = getattr(classifiers[0].layer, "in_features", None)
    assert features == c * h * w, say(
        pl=f"Liczba wejść warstwy liniowej to {features}, a długość spłaszczonej mapy {c}×{h}×{w} to {c * h * w}: "
        "spłaszcz wszystkie trzy osie (C, H, W).",
        en=f"The linear layer reads {features} features; the flattened {c}×{h}×{w} map has {c * h * w}: "
        "flatten all three axes (C, H, W).",
    )


@pytest.mark.cell(ARCHITECTURE, weight=1, pl="Dziesięć wyników dla każdego obrazu", en="Ten scores for each image")
def test_ten_outputs(measured: Measurements) -> None:
    model = measured.rebuilt(NAME, *SOLUTIONS)
    shape = next(step.output_shape for step in model.steps if step.name == model.output)
    assert len(shape) == 2 and shape[1] == 10, say(  # noqa: PT018
        pl=f"Model zwraca tensor o kształcie {shape}, a powinien zwracać (B, 10): po jednej liczbie na klasę.",
        en=f"The model returns a tensor of shape {shape}; it should be (B, 10): one score a class.",
    )


@pytest.mark.cell(TRAINING, weight=1, data=True, pl="Kompletna historia uczenia", en="A complete learning history")
def test_history(record: ModelRecord) -> None:
    complete(record)


@pytest.mark.cell(TRAINING, weight=1, data=True, pl="Strata na zbiorze uczącym zmalała", en="The loss fell")
def test_loss_fell(record: ModelRecord) -> None:
    fell(record)
    steps_taken(record)


@pytest.mark.cell(TRAINING, weight=1, pl="Narysowane krzywe uczenia", en="Learning curves plotted")
def test_curves(record: ModelRecord, evidence: LessonEvidence) -> None:
    curves_shown(record, evidence, *SOLUTIONS)


@pytest.mark.cell(TRAINING, weight=1, pl="Wypisana liczba parametrów", en="Parameter count printed")
def test_parameters(record: ModelRecord, measured: Measurements, evidence: LessonEvidence) -> None:
    parameters_printed(record, measured, evidence, *SOLUTIONS)


@pytest.mark.cell(TRAINING, weight=1, data=True, pl="Wyniki zgodne z pomiarem", en="Results agree with the measurement")
def test_results(record: ModelRecord, measured: Measurements) -> None:
    agree(record, measured.model(NAME, *SOLUTIONS))


@pytest.mark.cell(
    ACCURACY, data=True, pl="Dokładność na obrazach, których sieć nie widziała", en="Accuracy on unseen images"
)
def test_accuracy(evidence: LessonEvidence, measured: Measurements) -> None:
    reached = measured.model(NAME, *SOLUTIONS).held_out.accuracy
    wanted = threshold(measured.dataset, evidence.file.profile)
    assert reached >= wanted, say(
        pl=f"Na obrazach, których model nie widział, dokładność wynosi {number(reached)}, a próg to {number(wanted)}. "
        "Zwykle pomaga więcej epok, inna szybkość uczenia albo więcej filtrów.",
        en=f"On images the model never saw its accuracy is {number(reached)}; the threshold is {number(wanted)}. "
        "More epochs, another learning rate or more filters usually help.",
    )
