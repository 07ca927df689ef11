"""The checks that students see: what they let pass, what they refuse, and what they say of a bonus left out."""

import warnings
from typing import Any

import matplotlib as mpl
import nbformat
import pytest
import torch
from torch import nn

from tests.submissions.build import SOURCE
from tests.submissions.convolutions import LOOPS

CELLS = {cell.id: cell.source for cell in nbformat.read(SOURCE, as_version=4).cells}
HELPERS = ("task1_helpers", "task3_helpers", "task4_helpers")
STUBS = {"convolution_matrix": "task1_matrix", "convolution_same": "task1_same", "cam": "task5_cam"}
TESTS = {"convolution_matrix": "task1_matrix_tests", "convolution_same": "task1_same_tests", "cam": "task5_cam_tests"}
LEFT_OUT = "Część dla chętnych pominięta"


def released(source: str) -> str:
    """Return a solution cell as students get it."""
    lines, keep = [], True
    for line in source.split("\n"):
        keep = keep and "BEGIN SOLUTION" not in line
        lines += [line] if keep else []
        keep = keep or "END SOLUTION" in line
    return "\n".join(lines)


@pytest.fixture
def names() -> dict[str, Any]:
    """Return a notebook's names: its imports and helpers, the bonus's stubs, and forty images, one class a shade of grey."""
    mpl.use("agg")
    found: dict[str, Any] = {"models": {}, "histories": {}, "results": {}, "DEVICE": torch.device("cpu")}
    run(CELLS["install"].replace("%pip", "# %pip"), found)
    for name in HELPERS:
        run(CELLS[name], found)
    for name in STUBS.values():
        run(released(CELLS[name]), found)
    found["testset"] = [(torch.rand(1, 28, 28) / 10 + n % 10, n % 10) for n in range(40)]
    return found


def run(source: str, names: dict[str, Any]) -> None:
    """Run a cell of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(compile(source, "cell", "exec"), names)  # noqa: S102 - the notebook's own code


@pytest.mark.parametrize("function", STUBS)
def test_an_untouched_bonus_is_left_out(
    function: str, names: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """It raises nothing, and one line says that it was left out."""
    run(CELLS[TESTS[function]], names)
    said = capsys.readouterr().out
    assert said.startswith(LEFT_OUT)
    assert said.count("\n") == 1


WRONG = {
    "none": "return None",
    "raises": "raise ValueError('jeszcze nie')",
    "another shape of zeros": "return np.zeros((2, 2, 2))",
    "ones": "return np.ones((X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[1] + 1, q))",
    "words": "return np.full((X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[1] + 1, q), '')",
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("function", ["convolution_matrix", "convolution_same"])
def test_a_wrong_attempt_still_fails(wrong: str, function: str, names: dict[str, Any]) -> None:
    """Whatever it gives but the stub's zeros is a wrong answer."""
    run(f"def {function}(X, K, q):\n    {WRONG[wrong]}", names)
    with pytest.raises(AssertionError, match=function):
        run(CELLS[TESTS[function]], names)


def test_a_bonus_that_is_gone_is_named(names: dict[str, Any]) -> None:
    """A function that is not there is no stub."""
    del names["convolution_matrix"]
    with pytest.raises(AssertionError, match="Nie ma funkcji `convolution_matrix`"):
        run(CELLS["task1_matrix_tests"], names)


def test_a_right_attempt_passes(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """All three cases are shown as passed."""
    run(LOOPS.replace("def convolution", "def convolution_matrix"), names)
    run(CELLS["task1_matrix_tests"], names)
    assert capsys.readouterr().out.count("zaliczony") == 3


class Shades(nn.Module):
    """Tells shades of grey apart, with whatever gives a vector of the maps; ten classes are ten bumps of the mean."""

    def __init__(self, averaged: str = "mean", kernel: int = 3, channels: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, channels, kernel, bias=False)
        self.out = nn.Linear(channels, 10)
        self.averaged, self.pool = averaged, nn.AdaptiveAvgPool2d(1)
        shades, mean = torch.arange(10.0), torch.full((channels, 1, kernel, kernel), 1 / kernel**2)
        self.conv.weight.data, self.out.weight.data = mean, 2 * (shades + 1)[:, None].repeat(1, channels) / channels
        self.out.bias.data = -(shades**2) - 0.1 * shades

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scores."""
        maps = torch.relu(self.conv(x))
        ways = {
            "mean": lambda: maps.mean((2, 3)),
            "layer": lambda: self.pool(maps).flatten(1),
            "functional": lambda: nn.functional.avg_pool2d(maps, maps.shape[2:]).squeeze(-1).squeeze(-1),
            "twice": lambda: maps.mean(3).mean(2),
            "sum": lambda: torch.einsum("bchw->bc", maps) / maps[0, 0].numel(),
            "maximum": lambda: maps.amax((2, 3)),
        }
        vector = ways[self.averaged]()  # type: ignore[no-untyped-call]
        scores: torch.Tensor = self.out(vector)
        return scores


@pytest.mark.parametrize("way", ["mean", "layer", "functional", "twice", "sum"])
def test_the_averaged_map_is_seen_however_it_is_written(way: str, names: dict[str, Any]) -> None:
    """By what is computed and not by how a layer is called; in the model nothing is changed."""
    model = Shades(way).train()
    assert names["averaged_map"](model) == (2, 26, 26)
    assert names["averaged_map"](Shades(way, kernel=28)) == (2, 1, 1)
    assert model.training


def test_where_no_average_is_seen_nothing_is_said(names: dict[str, Any]) -> None:
    """A maximum, a flattened map, no linear layer, a model that raises: none of them is misjudged."""
    flat = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(1352, 10))
    for model in (Shades("maximum"), flat, nn.Conv2d(1, 10, 28), nn.Linear(3, 10)):
        assert names["averaged_map"](model) is None


def results_of(names: dict[str, Any], name: str, model: nn.Module, accuracy: float) -> None:
    """Enter a model with a history and results."""
    count = sum(parameter.numel() for parameter in model.parameters())
    names["models"][name] = model
    names["histories"][name] = {"train_loss": [2.0, 1.0], "val_loss": [2.0, 1.0], "val_accuracy": [0.1, 0.5]}
    names["results"][name] = {"accuracy": accuracy, "f1": accuracy, "parameters": count}


def test_an_experiments_accuracy_is_measured(names: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """What `results` say must be what is measured, and more than guessing; under Validate it is only told."""
    results_of(names, "gap", Shades(), 1.0)
    names["check_experiment"]("gap")
    results_of(names, "gap", Shades(), 0.9)
    with pytest.raises(AssertionError, match="zmierzona na testset to 1"):
        names["check_experiment"]("gap")
    idle = Shades()
    idle.out.weight.data.zero_()
    results_of(names, "gap", idle, 0.1)
    with pytest.raises(AssertionError, match="niewiele więcej niż przy zgadywaniu"):
        names["check_experiment"]("gap")
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    names["check_experiment"]("gap")


def test_a_map_of_one_pixel_fails_experiment_2(names: dict[str, Any]) -> None:
    """The visible check says what the hidden one does."""
    results_of(names, "max_pool", nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), 1.0)
    results_of(names, "gap", Shades(), 1.0)
    run(CELLS["task4_exp2_tests"], names)
    results_of(names, "gap", Shades(kernel=28), 1.0)
    names["testset"] = [(torch.full((1, 28, 28), n % 10 + 0.05), n % 10) for n in range(40)]
    with pytest.raises(AssertionError, match="1×1"):
        run(CELLS["task4_exp2_tests"], names)


@pytest.mark.parametrize(
    ("layers", "changed"),
    [
        ([nn.Conv2d(1, 2, 3, padding="valid", stride=2)], ["stride"]),
        ([nn.Conv2d(1, 2, 3, padding="same")], ["padding"]),
        ([nn.Conv2d(1, 2, 1, padding="same", dilation=2)], []),
        ([nn.Conv2d(1, 2, (1, 3), dilation=(2, 1))], []),
        ([nn.Conv2d(1, 2, (3, 1), dilation=(2, 1), padding=(0, 1))], ["dilation", "padding"]),
        ([nn.Conv2d(1, 2, 3, stride=(1, 2)), nn.Conv2d(2, 2, 3, dilation=2)], ["dilation", "stride"]),
        ([nn.Conv2d(1, 2, 3)], []),
    ],
)
def test_parameters_count_where_they_change_something(
    layers: list[nn.Module], changed: list[str], names: dict[str, Any]
) -> None:
    """As the hidden check counts them: no padding is none, and a filter of one pixel has nothing to dilate."""
    assert names["changed_parameters"](nn.Sequential(*layers)) == changed


CAM = """
def cam(model, image, class_index):
    maps = torch.relu(model.conv(image[None]))[0]
    maps = maps * torch.linspace(0, 1, maps.shape[-1])
    return torch.einsum("k,khw->hw", model.out.weight[class_index], maps)
"""


def test_the_cams_network_is_named(names: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    """The first that is trained, averages maps of 3×3 at least and of several channels; or it is said that none fits."""
    run(CAM, names)
    idle = Shades()
    idle.out.weight.data.zero_()
    names["models"] |= {"idle": idle, "one": Shades(channels=1), "small": Shades(kernel=27), "max": Shades("maximum")}
    with pytest.raises(AssertionError, match="nie ma wytrenowanej sieci"):
        run(CELLS["task5_cam_tests"], names)
    names["models"] |= {"second": Shades(), "third": Shades("layer")}
    run(CELLS["task5_cam_tests"], names)
    assert 'Sprawdzana sieć: models["second"]' in capsys.readouterr().out
    names["models"]["cam"] = Shades("layer")
    run(CELLS["task5_cam_tests"], names)
    assert 'Sprawdzana sieć: models["cam"]' in capsys.readouterr().out
    names["models"]["cam"] = idle
    with pytest.raises(AssertionError, match="ma być wytrenowana"):
        run(CELLS["task5_cam_tests"], names)


@pytest.mark.parametrize("wrong", ["return None", "return torch.ones(3, 3)", "return torch.rand(2, 3, 3)"])
def test_a_wrong_cam_still_fails(wrong: str, names: dict[str, Any]) -> None:
    """It is no stub, whatever it gives."""
    names["models"]["gap"] = Shades()
    run(f"def cam(model, image, class_index):\n    {wrong}", names)
    with pytest.raises((AssertionError, RuntimeError, TypeError)):
        run(CELLS["task5_cam_tests"], names)
