"""The hidden grader of Task 5: a class activation map is judged by what it shows, whatever its size and scale."""

import json
from pathlib import Path

import msgspec
import pytest
import torch

from autograder.engine.evidence.records import Probed
from autograder.lesson.graders import task5_cam
from autograder.lesson.graders.activations import CELL, SOLUTION, correlation, is_constant
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import MapRecord
from tests.lesson.staged_notebook import StagedNotebook, message_of
from tests.submissions.maps import HOOKS, MODELS, NETWORKS, RIGHT_WAYS, UNFIT_MODELS, WRONG_WAYS, resized

EVERY = ("task3_architecture_tests", *(f"task4_exp{number}_tests" for number in (2, 4)), CELL)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> StagedNotebook:
    """One network with global average pooling, and no `cam` yet."""
    return StagedNotebook.run(tmp_path_factory.mktemp("notebook"), NETWORKS, cells=EVERY)


@pytest.fixture(scope="module")
def measured(notebook: StagedNotebook) -> Measurements:
    """The judge's own look at that network."""
    return Measurements(notebook.evidence)


def judged(bench: StagedNotebook, measured: Measurements | None = None) -> str:
    """What the grader says; nothing where the map is right."""
    return message_of(task5_cam.test_cam, bench.evidence, measured or Measurements(bench.evidence))


@pytest.mark.parametrize("way", RIGHT_WAYS)
def test_a_right_map_passes(way: str, notebook: StagedNotebook, measured: Measurements, tmp_path: Path) -> None:
    """By hooks, by cutting, by gradients; any size, any scale, with or without ReLU; NumPy or torch."""
    assert judged(notebook.then(tmp_path, RIGHT_WAYS[way], CELL), measured) == ""


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_a_wrong_map_fails_with_its_reason(
    way: str, notebook: StagedNotebook, measured: Measurements, tmp_path: Path
) -> None:
    """What is not Σ_k w_ck f_k(x, y) of the class asked for fails, and a known mistake is named."""
    code, message = WRONG_WAYS[way]
    assert message in judged(notebook.then(tmp_path, code, CELL), measured)


@pytest.mark.parametrize("models", MODELS)
def test_the_network_may_be_another(models: str, notebook: StagedNotebook, tmp_path: Path) -> None:
    """`models["cam"]`, else the first with averaging, however written, and one linear layer, is the one looked at."""
    assert judged(notebook.then(tmp_path, MODELS[models] + HOOKS, *EVERY)) == ""


@pytest.mark.parametrize("models", UNFIT_MODELS)
def test_a_network_without_a_map_is_named(models: str, notebook: StagedNotebook, tmp_path: Path) -> None:
    """Where no network has a class activation map, the message says what is missing, and no map passes."""
    code, message = UNFIT_MODELS[models]
    assert message in judged(notebook.then(tmp_path, code + HOOKS, *EVERY))


def test_a_map_that_cannot_be_told_from_a_constant_is_undecided(notebook: StagedNotebook, tmp_path: Path) -> None:
    """Where the right map is negative everywhere, zeros are right after a ReLU, and a person decides."""
    negative = "models['gap'].fc.weight.data -= models['gap'].fc.weight.data.max() + 0.1\n"  # no answer changes
    zeros = "def cam(model, image, class_index):\n    return torch.zeros(28, 28)"
    assert (
        judged(notebook.then(tmp_path, f"import copy\nmodels = copy.deepcopy(models)\n{negative}{zeros}", *EVERY))[0]
        == "?"
    )


IMAGE = "def cam(model, image, class_index):\n    return image.mean(0)"
ZEROS = "def cam(model, image, class_index):\n    return torch.zeros(image.shape[-2:])"
COPIES = """
class Copy(nn.Module):
    # The map that is averaged is the image itself, in two channels.
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, 2, 1, bias=False), nn.Linear(2, 10)
        self.conv.weight.data = torch.ones(2, 1, 1, 1)
    def forward(self, x):
        return self.fc(F.relu(self.conv(x) + 1).mean((2, 3)))

models = {"gap": Copy().eval()}
"""
NEARLY_COPIES = COPIES.replace("torch.ones(2, 1, 1, 1)", "torch.tensor([1.0, 1.01])[:, None, None, None]").replace(
    "self.conv(x) + 1", "self.conv(x) + torch.tensor([0.9, 0.8])[:, None, None]"
)


@pytest.mark.parametrize("models", [COPIES, NEARLY_COPIES])
def test_an_untrained_model_whose_map_is_the_image_earns_nothing(
    models: str, notebook: StagedNotebook, tmp_path: Path
) -> None:
    """The image returned as a map of a model made for it is no class activation map: failed or open, never passed."""
    message = judged(notebook.then(tmp_path, models + IMAGE, *EVERY))
    assert "only one map before averaging" in message or "Only a trained network" in message


def test_a_map_that_is_no_other_than_the_image_is_undecided(notebook: StagedNotebook, tmp_path: Path) -> None:
    """Trained or not, where the right map is the image's own brightness, a person decides."""
    trained = NEARLY_COPIES.replace("Copy().eval()", "trained(Copy(), 150)")
    assert judged(notebook.then(tmp_path, trained + IMAGE, *EVERY)) != ""


@pytest.mark.parametrize("models", ["trained(Net('pixel'))", "Net('even').eval()", "trained(Net(hidden=16))"])
def test_an_untouched_cam_beside_a_model_without_maps_fails(
    models: str, notebook: StagedNotebook, tmp_path: Path
) -> None:
    """Zeros are no map: failed, never left to a person."""
    assert judged(notebook.then(tmp_path, f"models = {{'gap': {models}}}\n{ZEROS}", *EVERY))[0] != "?"


def test_an_untouched_cam_fails_where_the_right_map_is_negative(notebook: StagedNotebook, tmp_path: Path) -> None:
    """A `cam` that reads neither the model nor the class is no answer, even where zeros happen to be right."""
    negative = "import copy\nmodels = copy.deepcopy(models)\nw = models['gap'].fc.weight.data\nw -= w.max() + 0.1\n"
    bench = notebook.then(tmp_path, negative + ZEROS, *EVERY)
    cell = {"cell_type": "code", "source": ZEROS, "metadata": {"grade_id": SOLUTION}}
    (tmp_path / "notebook.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert "constant map" in judged(bench)


def test_a_huge_map_is_written_down_smaller(notebook: StagedNotebook, tmp_path: Path) -> None:
    """4000×4000 passes as any other size; what is kept of it is 1024×1024."""
    bench = notebook.then(tmp_path, resized("mode='bilinear'").replace("(28, 28)", "(4000, 4000)"), CELL)
    assert judged(bench) == ""
    assert bench.evidence.array("arrays", "map-gap-0.npy").shape == (1024, 1024)


def test_a_slow_cam_is_left_undecided_not_lost(
    notebook: StagedNotebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the time for all models has passed, the others are named as not asked, and a person decides."""
    monkeypatch.setattr("autograder.lesson.recorders.maps.SECONDS_IN_ALL", 1.0)
    slow = HOOKS.replace("kept = {}", "kept = {}; import time; time.sleep(0.3)")
    models = "models = {'baseline': Net('max').eval(), 'gap': models['gap']}"
    message = judged(notebook.then(tmp_path, models + slow, *EVERY))
    assert message.startswith("? cam took so long")


@pytest.mark.parametrize("forged", [{"class_index": 10}, {"class_index": -1}, {"class_index": 0}])
def test_forged_records_never_pass(forged: dict[str, int], notebook: StagedNotebook, tmp_path: Path) -> None:
    """A record of a class that there is not, or is not the predicted one: undecided, neither a pass nor a crash."""
    bench = notebook.then(tmp_path, HOOKS, CELL)
    file, taken = bench.evidence.file, bench.evidence.taken[CELL]
    maps = (msgspec.structs.replace(r, **forged) for r in taken if isinstance(r, MapRecord))
    probed = (*(p for p in file.probed if p.cell != CELL), Probed.from_records(CELL, *maps))
    (tmp_path / "evidence.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(file, probed=probed)))
    assert judged(bench)[0] == "?"


def test_correlation_is_pearsons() -> None:
    """Equal to NumPy's, blind to positive scale and offset; constants agree with constants alone."""
    a, b = torch.rand(2, 5, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert correlation(a, b) == pytest.approx(float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]))
    assert correlation(a, 3 * a - 2) == pytest.approx(1)
    assert correlation(a, -a) == pytest.approx(-1)
    assert correlation(a, torch.ones(5, 7)) == 0
    assert correlation(torch.zeros(5, 7), torch.ones(5, 7)) == 1
    assert is_constant(torch.full((9, 9), 0.1))
