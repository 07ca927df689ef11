"""Task 3: the baseline's architecture, its training, its accuracy."""

import pytest

from autograder.engine.outcomes import settled
from autograder.engine.report import Profile
from autograder.engine.text import number, say
from autograder.lesson.datasets import TRAINED_ON
from autograder.lesson.graders.ablation import dependence
from autograder.lesson.graders.layer_flow import LayerFlow, idle_layers, spatial
from autograder.lesson.graders.student_models import BASELINE, network
from autograder.lesson.graders.training import agree, complete, is_still, parameters_printed, steps_taken
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import DataProbe, LessonEvidence, ModelProbe, ModelRecord
from autograder.lesson.thresholds import levels, threshold
from autograder.models.rebuild import StepKind

ARCHITECTURE = "task3_architecture_tests"
TRAINING = "task3_training_tests"
ACCURACY = "task3_accuracy_tests"
NAME = "baseline"
ESSENTIAL = 0.5  # of the variance of the scores must come through the convolutions

PROBES = (DataProbe(ARCHITECTURE, "testset"), ModelProbe(ARCHITECTURE, NAME))


@pytest.fixture(scope="module")
def flow(measured: Measurements) -> LayerFlow:
    """The baseline's data flow."""
    return network(measured, NAME)


@pytest.fixture(scope="module")
def record(measured: Measurements) -> ModelRecord:
    """The baseline's record: how it was exported, and the notebook's figures for it."""
    return measured.record(NAME, *BASELINE)


@pytest.mark.cell(
    ARCHITECTURE,
    weight=2,
    pl="Co najmniej dwa bloki: konwolucje i funkcja aktywacji",
    en="At least two blocks of convolutions, each ended by an activation",
)
def test_groups(flow: LayerFlow) -> None:
    groups, idle = flow.groups(), idle_layers(flow, StepKind.CONV, StepKind.ACTIVATION)
    assert groups >= 2, say(
        pl=f"Liczba bloków „konwolucje + aktywacja” na drodze od wejścia do wyjścia: {groups}, a potrzebne są co najmniej "
        "dwa. Liczą się tylko warstwy używane w forward(), a po konwolucjach musi być aktywacja, np. ReLU." + idle,
        en=f"On the way from input to output there are {groups} blocks of convolutions with an activation; at least "
        "two are needed. Only layers used in forward() count, and an activation such as ReLU must follow." + idle,
    )
    assert dependence(flow.model, flow.working(StepKind.CONV), flow.images) >= ESSENTIAL, say(
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
def test_flatten(flow: LayerFlow) -> None:
    classifiers = flow.classifiers()
    assert classifiers, say(
        pl="Po konwolucjach nie ma warstwy liniowej, która dostaje ich mapę: dodaj nn.Flatten i nn.Linear.",
        en="No linear layer reads the convolutions' map: add nn.Flatten and nn.Linear.",
    )
    assert flow.averaging(classifiers[0]) is None, say(
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
    model = measured.rebuilt(NAME, *BASELINE)
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
    complete(record)
    losses = [value for value in (record.history.train_loss if record.history else None) or () if value is not None]
    risen = say(
        pl=f"train_loss nie zmalała: od {number(losses[0])} do {number(losses[-1])}. Sprawdź optimizer.zero_grad(), "
        "loss.backward(), optimizer.step() i szybkość uczenia.",
        en=f"train_loss did not fall: from {number(losses[0])} to {number(losses[-1])}. Check optimizer.zero_grad(), "
        "loss.backward(), optimizer.step() and the learning rate.",
    )
    if losses[-1] >= losses[0]:
        settled(not is_still(record), risen)
    assert losses[-1] < losses[0], risen
    steps_taken(record)


@pytest.mark.cell(TRAINING, weight=1, pl="Narysowane krzywe uczenia", en="Learning curves plotted")
def test_curves(record: ModelRecord, evidence: LessonEvidence) -> None:
    complete(record)
    runs = [run for cell in BASELINE if (run := evidence.run(cell)) is not None]
    first = min((run.index for run in runs), default=0)  # an added cell after them counts as well
    assert any(run.images for run in evidence.file.runs if run.index >= first), say(
        pl="Nie znaleziono żadnego wykresu: narysuj krzywe uczenia (plt.plot, plt.show()) w komórce tego zadania.",
        en="No plot was found: draw the learning curves (plt.plot, plt.show()) in the task's cell.",
    )


@pytest.mark.cell(TRAINING, weight=1, pl="Wypisana liczba parametrów", en="Parameter count printed")
def test_parameters(measured: Measurements) -> None:
    parameters_printed(measured, NAME, *BASELINE)


@pytest.mark.cell(TRAINING, weight=1, data=True, pl="Wyniki zgodne z pomiarem", en="Results agree with the measurement")
def test_results(record: ModelRecord, measured: Measurements) -> None:
    agree(record, measured.model(NAME, *BASELINE))


@pytest.mark.cell(
    ACCURACY, data=True, pl="Dokładność na obrazach, których sieć nie widziała", en="Accuracy on unseen images"
)
def test_accuracy(evidence: LessonEvidence, measured: Measurements) -> None:
    reached = measured.model(NAME, *BASELINE).held_out.accuracy
    profile = evidence.file.profile
    found = levels(measured.dataset, profile)
    is_hopeless = found is not None and reached < found.hopeless
    wanted = threshold(measured.dataset, Profile.FULL if is_hopeless else profile)
    too_low = say(
        pl=f"Na obrazach, których model nie widział, dokładność wynosi {number(reached)}, a próg to {number(wanted)}. "
        "Zwykle pomaga więcej epok, inna szybkość uczenia albo więcej filtrów.",
        en=f"On images the model never saw its accuracy is {number(reached)}; the threshold is {number(wanted)}. "
        "More epochs, another learning rate or more filters usually help.",
    )
    early = say(
        pl=" Zmierzono ją po uczeniu na {} obrazach: sieć, która osiąga tam tak mało, nie dochodzi do progu także po "
        "uczeniu na wszystkich.",
        en=" Measured after training on {} images: a network that reaches so little there does not reach the threshold "
        "after training on all of them either.",
    )
    settled(not is_hopeless, too_low + early.format(TRAINED_ON.get(profile)))
    assert reached >= wanted, too_low
