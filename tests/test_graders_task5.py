"""The hidden grader of Task 5: a class activation map is judged by what it shows, whatever its size and scale."""

from pathlib import Path

import msgspec
import pytest
import torch

from autograder.evidence.records import MapRecord
from autograder.graders import task5
from autograder.graders.maps import correlation, flat
from autograder.measuring.measure import Measurements
from tests.bench import Bench, said
from tests.submissions.maps import HOOKS, MODELS, NETWORKS, RIGHT_WAYS, UNFIT_MODELS, WRONG_WAYS

EVERY = ("task3_architecture_tests", *(f"task4_exp{number}_tests" for number in (2, 4)), task5.CELL)


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """One network with global average pooling, and no `cam` yet."""
    return Bench.of(tmp_path_factory.mktemp("notebook"), NETWORKS, cells=EVERY)


@pytest.fixture(scope="module")
def measured(notebook: Bench) -> Measurements:
    """The judge's own look at that network."""
    return Measurements(notebook.evidence)


def judged(bench: Bench, measured: Measurements | None = None) -> str:
    """What the grader says; nothing where the map is right."""
    return said(task5.test_cam, bench.evidence, measured or Measurements(bench.evidence))


@pytest.mark.parametrize("way", RIGHT_WAYS)
def test_a_right_map_passes(way: str, notebook: Bench, measured: Measurements, tmp_path: Path) -> None:
    """By hooks, by cutting, by gradients; any size, any scale, with or without ReLU; NumPy or torch."""
    assert judged(notebook.then(tmp_path, RIGHT_WAYS[way], task5.CELL), measured) == ""


@pytest.mark.parametrize("way", WRONG_WAYS)
def test_a_wrong_map_fails_with_its_reason(way: str, notebook: Bench, measured: Measurements, tmp_path: Path) -> None:
    """What is not Σ_k w_ck f_k(x, y) of the class asked for fails, and a known mistake is named."""
    code, message = WRONG_WAYS[way]
    assert message in judged(notebook.then(tmp_path, code, task5.CELL), measured)


@pytest.mark.parametrize("models", MODELS)
def test_the_network_may_be_another(models: str, notebook: Bench, tmp_path: Path) -> None:
    """`models["cam"]`, else the first with averaging, however written, and one linear layer, is the one looked at."""
    assert judged(notebook.then(tmp_path, MODELS[models] + HOOKS, *EVERY)) == ""


@pytest.mark.parametrize("models", UNFIT_MODELS)
def test_a_network_without_a_map_is_named(models: str, notebook: Bench, tmp_path: Path) -> None:
    """Where no network has a class activation map, the message says what is missing, and no map passes."""
    code, message = UNFIT_MODELS[models]
    assert message in judged(notebook.then(tmp_path, code + HOOKS, *EVERY))


def test_a_map_that_cannot_be_told_from_a_constant_is_undecided(notebook: Bench, tmp_path: Path) -> None:
    """Where the right map is negative everywhere, zeros are right after a ReLU, and a person decides."""
    negative = "models['gap'].fc.weight.data -= models['gap'].fc.weight.data.max() + 0.1\n"  # no answer changes
    zeros = "def cam(model, image, class_index):\n    return torch.zeros(28, 28)"
    assert (
        judged(notebook.then(tmp_path, f"import copy\nmodels = copy.deepcopy(models)\n{negative}{zeros}", *EVERY))[0]
        == "?"
    )


@pytest.mark.parametrize("forged", [{"class_index": 10}, {"class_index": -1}])
def test_forged_records_never_pass(forged: dict[str, int], notebook: Bench, tmp_path: Path) -> None:
    """A record of a class that there is not is no map: undecided, neither a pass nor a crash."""
    bench = notebook.then(tmp_path, HOOKS, task5.CELL)
    file = bench.evidence.file
    (taken,) = (probed for probed in file.probed if probed.cell == task5.CELL)
    maps = tuple(msgspec.structs.replace(r, **forged) for r in taken.records if isinstance(r, MapRecord))
    probed = (*(p for p in file.probed if p is not taken), msgspec.structs.replace(taken, records=maps))
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
    assert flat(torch.full((9, 9), 0.1))
