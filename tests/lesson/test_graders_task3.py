"""The hidden graders of Task 3: architecture by data flow, training by what was measured, accuracy by the threshold."""

from pathlib import Path

import pytest

from autograder.engine.outcomes import is_cut_short
from autograder.engine.report import Profile, Report, Status
from autograder.lesson.observations import LessonEvidence
from tests.submissions.networks import HEAD, RIGHT_WAYS, WRONG_WAYS
from tests.unsandboxed import DATA, cell_of, failed, judged

ARCHITECTURE, TRAINING, ACCURACY = (f"task3_{name}_tests" for name in ("architecture", "training", "accuracy"))
CHECKS = {"blocks": "At least two blocks", "flatten": "The map flattened", "ten": "Ten scores"}
BASELINE = HEAD + RIGHT_WAYS["Sequential"]
COUNT = 34832  # (9 + 1) · 4 + (36 + 1) · 6 + (3456 + 1) · 10 of the Sequential


def report_of(baseline: str, folder: Path, **more: object) -> Report:
    """Judge a notebook whose only model is this baseline."""
    return judged({"task3_data": DATA, "task3_baseline": baseline}, folder, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("way", RIGHT_WAYS)
def test_every_right_architecture_passes(way: str, tmp_path: Path) -> None:
    """However it is written, a baseline with two blocks, flatten and a linear layer gets 2 of 2."""
    report = report_of(HEAD + RIGHT_WAYS[way], tmp_path)
    assert failed(report, ARCHITECTURE) == {}
    assert report.models["baseline"].verified


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_a_wrong_architecture_fails_its_check_alone(way: str, tmp_path: Path) -> None:
    """What is missing on the way from input to output fails the check of it, and no other."""
    wrong = failed(report_of(HEAD + WRONG_WAYS[way], tmp_path), ARCHITECTURE)
    (name,) = wrong
    assert name.startswith(CHECKS[way.split(":", maxsplit=1)[0]])


def test_an_untrained_model_never_reaches_the_threshold(tmp_path: Path) -> None:
    """On `full` an untrained model gets nothing for accuracy, and its measured accuracy is near chance."""
    report = report_of(BASELINE, tmp_path)
    assert cell_of(report, ACCURACY).score == 0
    assert (report.models["baseline"].accuracy or 0) < 0.3


def test_what_little_data_may_cause_is_undecided_on_quick(tmp_path: Path) -> None:
    """On `quick` too low an accuracy is no verdict: no score yet, and the cell waits for `full`."""
    report = report_of(BASELINE, tmp_path, profile=Profile.QUICK)
    cell = cell_of(report, ACCURACY)
    assert (cell.status, cell.score) == (Status.UNDECIDED, None)
    assert ACCURACY in report.needs_manual


HISTORY = """
for _ in range(5):  # gradient steps that change nothing, whatever forward gives
    sum(parameter.square().sum() for parameter in models["baseline"].parameters()).backward()
histories["baseline"] = {"train_loss": [2.0, 1.0], "val_loss": [2.0, 1.5], "val_accuracy": [0.2, 0.3]}
"""
RESULTS = f"""
loader = torch.utils.data.DataLoader(testset, batch_size=500)
with torch.no_grad():
    pairs = [(models["baseline"](x).argmax(1), y) for x, y in loader]
guesses, labels = (torch.cat(part) for part in zip(*pairs))
from sklearn.metrics import f1_score
results["baseline"] = {{
    "accuracy": (guesses == labels).double().mean().item(),
    "f1": f1_score(labels, guesses, average="macro", zero_division=0),
    "parameters": {COUNT},
}}
"""
SHOWN = {"images": {"task3_baseline": 1}, "printed": f"Total params: {COUNT:,}"}


def test_a_complete_training_report_passes(tmp_path: Path) -> None:
    """History, plot, printed count with separators, and results as scikit-learn computes them: 1 of 1."""
    report = report_of(BASELINE + HISTORY + RESULTS, tmp_path, **SHOWN)
    assert failed(report, TRAINING) == {}
    assert cell_of(report, TRAINING).score == 1


def test_an_exception_that_little_data_can_cause_waits_for_more(tmp_path: Path) -> None:
    """The cell ends at an image that `quick` lacks, its network made and nothing reported: more data are asked for.

    What failed after it is then settled anew (`tests/engine/test_settle.py`).
    """
    source = BASELINE + "\ntestset[3_000]" + HISTORY + RESULTS
    for profile, more in ((Profile.QUICK, True), (Profile.FULL, False)):
        report = report_of(source if more else source.replace("3_000", "9_000"), tmp_path / profile, profile=profile)
        assert len([check for check in cell_of(report, TRAINING).checks if not check.passed]) == 5
        assert report.may_gain is more
        assert is_cut_short(LessonEvidence(tmp_path / profile))


def test_no_plot_and_no_printed_count_fail_alone(tmp_path: Path) -> None:
    """Neither a picture nor the count: two checks, no other."""
    wrong = failed(report_of(BASELINE + HISTORY + RESULTS, tmp_path, printed="123"), TRAINING)
    assert sorted(wrong) == ["Learning curves plotted", "Parameter count printed"]


NO_MODELS = {
    "a tuple": ("models['baseline'] = nn.Identity()\nmodels['baseline'].forward = lambda x: (x, x)", "tuple"),
    "a number": ("models['baseline'] = 3", "int"),
    "raises": ("models['baseline'] = nn.Linear(3, 10)", "RuntimeError"),
    "no dict": ("models = [nn.Identity()]", "list"),
    "cuda": ("models['baseline'] = nn.Linear(784, 10).cuda()", ".to(DEVICE)"),
}


@pytest.mark.parametrize("what", NO_MODELS)
def test_a_strange_model_is_told_apart(what: str, tmp_path: Path) -> None:
    """What is no model, or does not compute, gets no points and a message that names it."""
    source, message = NO_MODELS[what]
    cell = cell_of(report_of(source, tmp_path), ARCHITECTURE)
    assert cell.score == 0
    assert message in cell.checks[0].message


def test_nan_scores_are_measured(tmp_path: Path) -> None:
    """A model whose scores are all NaN is judged, not left to a person, and reaches no threshold."""
    source = BASELINE + "\nmodels['baseline'][0].weight.data.fill_(float('nan'))"
    report = report_of(source, tmp_path)
    assert report.models["baseline"].verified
    assert cell_of(report, ACCURACY).score == 0


def test_scores_of_minus_infinity_are_measured(tmp_path: Path) -> None:
    """`log(softmax)` of a network that is sure of itself has them: it is the notebook's own all the same."""
    source = (
        BASELINE
        + """
class Sure(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner
    def forward(self, x):
        return torch.log(F.softmax(1e5 * self.inner(x), dim=1))
models["baseline"] = Sure(models["baseline"])
assert models["baseline"](testset[0][0][None]).isinf().any()
"""
    )
    assert report_of(source, tmp_path).models["baseline"].verified


def test_any_number_of_scores_is_no_crash(tmp_path: Path) -> None:
    """Twenty scores an image are judged too: right about no image, and the check of ten outputs says why."""
    source = HEAD + WRONG_WAYS["ten: five outputs"].replace("nn.Linear(3456, 5)", "nn.Linear(3456, 20)")
    report = report_of(source, tmp_path)
    assert report.models["baseline"].accuracy == 0
    assert cell_of(report, ACCURACY).score == 0


TRANSFORMS = {
    "only ToTensor": "transforms.ToTensor()",
    "0…255": "transforms.Compose([transforms.PILToTensor(), transforms.Lambda(lambda x: x.float())])",
    "normalised oddly": "transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.2860,), (0.3530,))])",
    "three channels": "transforms.Compose([transforms.Grayscale(3), transforms.ToTensor()])",
    "resized": "transforms.Compose([transforms.Resize(20), transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])",
    "padded": "transforms.Compose([transforms.Pad(2), transforms.ToTensor()])",
    "cropped": "transforms.Compose([transforms.CenterCrop(24), transforms.ToTensor()])",
}


@pytest.mark.parametrize("name", TRANSFORMS)
def test_any_usual_transform_is_recovered(name: str, tmp_path: Path) -> None:
    """The judge measures what the notebook measures, whatever scale or size the images have."""
    model = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.LazyConv2d(4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10))
    def forward(self, x):
        return self.layers(x)
net = Net().eval()
net(testset[0][0][None])
models["baseline"] = net
"""
    data = f"testset = datasets.FashionMNIST(DATA_FOLDER, train=False, transform={TRANSFORMS[name]})\n"
    data += "models, histories, results = {}, {}, {}"
    report = judged({"task3_data": data, "task3_baseline": model}, tmp_path)
    assert report.models["baseline"].verified, cell_of(report, ACCURACY).checks


def test_a_random_transform_is_undecided(tmp_path: Path) -> None:
    """Augmentation left on in the test set cannot be measured fairly: a person decides, with the reason."""
    data = """
testset = datasets.FashionMNIST(DATA_FOLDER, train=False, transform=transforms.Compose(
    [transforms.RandomHorizontalFlip(), transforms.ToTensor()]))
models, histories, results = {}, {}, {}
"""
    report = judged({"task3_data": data, "task3_baseline": BASELINE}, tmp_path)
    cell = cell_of(report, ACCURACY)
    assert (cell.status, cell.score) == (Status.UNDECIDED, None)
    assert "random" in cell.checks[0].message


RETURNS = {
    "a pair": ("return y, x", "returns tuple (2)"),
    "a dictionary": ("return {'scores': y}", "returns dict (1)"),
    "nothing": ("y", "returns NoneType"),
    "NumPy": ("return y.detach().numpy()", "returns ndarray"),
    "four axes": ("return y[:, :, None, None]", "returns Tensor (100, 10, 1, 1)"),
    "one row": ("return y[0]", "returns Tensor (10,)"),
    "half a batch": ("return y[:50]", "returns Tensor (50, 10)"),
    "an exception": ("raise ValueError('no scores')", "ValueError: no scores"),
}


@pytest.mark.parametrize("way", RETURNS)
def test_a_model_without_scores_costs_only_what_needs_them(way: str, tmp_path: Path) -> None:
    """Its history, plot and printed count stand; whatever needs its scores names what `forward` returns."""
    line, named = RETURNS[way]
    odd = f"""
class Odd(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = models["baseline"]
    def forward(self, x):
        y = self.body(x)
        {line}
models["baseline"] = Odd()
"""
    report = report_of(BASELINE + HISTORY + RESULTS + odd, tmp_path, **SHOWN)
    assert [name.split()[0] for name in failed(report, TRAINING)] == ["Results"]
    for message in failed(report, ARCHITECTURE).values():
        assert 'models["baseline"]' in message
        assert named in message


def test_forward_may_print_and_have_options(tmp_path: Path) -> None:
    """What `forward` prints, or takes besides the images, is no fault."""
    chatty = """
class Chatty(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = models["baseline"]
    def forward(self, x, verbose=True):
        if verbose:
            print(x.shape)
        return self.body(x)
models["baseline"] = Chatty()
"""
    assert failed(report_of(BASELINE + HISTORY + RESULTS + chatty, tmp_path, **SHOWN), TRAINING) == {}
