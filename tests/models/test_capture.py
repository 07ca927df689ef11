"""The sandbox's side: models are written as data, and left as they were found."""

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from autograder.models.capture.export import Method, export_model
from autograder.models.capture.graph import ExportError
from tests.models import student_models as styles

METHODS = {
    "with_hooks": Method.EXPORT_WITHOUT_HOOKS,
    "NumpyInside": Method.MAKE_FX,
    "Autocast": Method.MAKE_FX,
    "ValueBranch": Method.DISPATCH,
}


def images(model: nn.Module, batch: int = 4) -> Tensor:
    """Random images (B, 1, 28, 28) in the model's own dtype."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(batch, 1, 28, 28, generator=generator).to(next(model.parameters()).dtype)


def operations(path: Path) -> list[str]:
    """The names of a graph's operations, in order."""
    return [node["op"] for node in json.loads(path.read_text())["nodes"]]


@pytest.mark.parametrize("style", styles.STYLES)
def test_every_style_is_written_by_the_expected_method(style: str, tmp_path: Path) -> None:
    """Every style exports, in both modes; only what PyTorch's tracer cannot follow takes a fall-back."""
    model = styles.STYLES[style]()
    exported = export_model(model, images(model), tmp_path)
    expected = METHODS.get(style, Method.EXPORT)
    assert (exported.method, exported.train_graph) == (expected, True)
    assert exported.parameters == sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("style", ["Regularized", "NumpyInside", "ValueBranch", "KeepsMaps", "with_hooks"])
def test_a_model_is_left_as_it_was_found(style: str, tmp_path: Path) -> None:
    """Mode, hooks, attributes, weights, statistics, gradients and random states are the same afterwards."""
    model = styles.STYLES[style]()
    model.train()
    next(model.children()).eval()
    model.log = [1, 2]  # type: ignore[assignment]
    parameter = next(model.parameters())
    parameter.grad = torch.ones_like(parameter)
    torch.manual_seed(7)
    before, attributes = snapshot(model), {name: id(value) for name, value in vars(model).items()}
    export_model(model, images(model), tmp_path)
    assert same(snapshot(model), before)
    assert {name: id(value) for name, value in vars(model).items()} == attributes
    assert parameter.grad is not None
    assert torch.equal(parameter.grad, torch.ones_like(parameter))


def snapshot(model: nn.Module) -> tuple[Any, ...]:
    """What must not change."""
    return (
        [module.training for module in model.modules()],
        [list(module._forward_hooks.items()) for module in model.modules()],
        {name: tensor.clone() for name, tensor in model.state_dict().items()},
        list(model.log),  # type: ignore[arg-type]
        torch.get_rng_state(),
        random.getstate(),
        np.random.get_state(legacy=False)["state"],  # noqa: NPY002 - the global generator is the student's
    )


def same(one: Any, other: Any) -> bool:
    """Compare nested values, tensors and arrays by content."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Tensor | np.ndarray):
        return bool((torch.as_tensor(one) == torch.as_tensor(other)).all())
    return bool(one == other)


def test_modes_and_buffers_return_even_when_the_model_raises(tmp_path: Path) -> None:
    """A forward that fails half-way leaves the model as it was found, too."""

    class Fails(styles.Regularized):
        def forward(self, x: Tensor) -> Tensor:
            self.seen = x
            raise ValueError("on purpose")

    model = Fails().train()
    with pytest.raises(ExportError, match="The model does not run: ValueError: on purpose"):
        export_model(model, images(model), tmp_path)
    assert model.training
    assert not hasattr(model, "seen")


def test_layers_under_training_stand_in_the_train_graph_only(tmp_path: Path) -> None:
    """Dropout under `if self.training` is absent from graph.json and present in train.json."""
    model = styles.TrainingBranch()
    export_model(model, images(model), tmp_path)
    assert "aten.feature_dropout.default" not in operations(tmp_path / "graph.json")
    assert "aten.feature_dropout.default" in operations(tmp_path / "train.json")


def test_weights_are_plain_arrays_as_they_were_before_training_mode_ran(tmp_path: Path) -> None:
    """weights.npz opens without pickle; tracing in training mode for real has not moved the statistics in it."""

    class Moves(styles.Regularized):
        def forward(self, x: Tensor) -> Tensor:
            if x.max() > 100:
                x = x / 255
            return super().forward(x)

    model = Moves()
    assert export_model(model, images(model), tmp_path).method is Method.DISPATCH
    entries = json.loads((tmp_path / "graph.json").read_text())["weights"]
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        for entry in entries:
            expected = model.state_dict()[entry["target"]]
            assert np.array_equal(arrays[entry["key"]], expected.numpy())
    assert "norm.running_mean" in {entry["target"] for entry in entries}


def test_bfloat16_travels_bit_for_bit(tmp_path: Path) -> None:
    """NumPy has no bfloat16: the bits are stored as uint16, the dtype stands in the graph."""
    model = styles.half()
    export_model(model, images(model), tmp_path)
    entry = json.loads((tmp_path / "graph.json").read_text())["weights"][0]
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        bits = arrays[entry["key"]]
    expected = model.state_dict()[entry["target"]].view(torch.uint16).numpy()
    assert (entry["dtype"], bits.dtype.name) == ("bfloat16", "uint16")
    assert np.array_equal(bits, expected)


def test_unused_parameters_are_declared_but_not_stored(tmp_path: Path) -> None:
    """A layer that no path reaches counts as declared; its weights do not travel."""
    model = styles.Shared()
    export_model(model, images(model), tmp_path)
    document = json.loads((tmp_path / "graph.json").read_text())
    assert {"name": "unused.weight", "shape": [100, 100]} in document["declared"]
    assert "unused.weight" not in {entry["target"] for entry in document["weights"]}


def test_nothing_is_printed_while_exporting(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither the tracers' complaints nor the prints in `forward` reach the student's output again."""

    class Prints(styles.ValueBranch):
        def forward(self, x: Tensor) -> Tensor:
            print(x.shape)  # noqa: T201
            return super().forward(x)

    model = Prints()
    export_model(model, images(model), tmp_path)
    assert capfd.readouterr() == ("", "")


class _Tuple(styles.Base):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x), x


class _Constant(styles.Base):
    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros(len(x), 10)


class _LeavesTorch(styles.Base):
    def forward(self, x: Tensor) -> Tensor:
        return torch.from_numpy(super().forward(x).numpy() * 2)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_Tuple(), r"The model returns a tuple; it must return one tensor of scores \(B, 10\)\."),
        (_Constant(), "output is not computed from its input"),
        (_LeavesTorch(), "output is not computed from its input"),
        (nn.Sequential(nn.Conv2d(3, 4, 3)), "The model does not run: RuntimeError: Given groups=1"),
        (nn.Sequential(nn.LazyConv2d(4, 3)), "The model has lazy layers that have never seen an image"),
    ],
)
def test_what_cannot_be_a_graph_is_named_in_one_sentence(model: nn.Module, message: str, tmp_path: Path) -> None:
    """A tuple, an output not computed from the images, a wrong shape, layers without weights: each its own sentence."""
    with pytest.raises(ExportError, match=message):
        export_model(model, torch.rand(4, 1, 28, 28), tmp_path)


@pytest.mark.soak
def test_a_small_model_exports_within_three_tenths_of_a_second(tmp_path: Path) -> None:
    """After the first export in a process, a student-sized model takes at most 0.3 s of processor time, all files written."""
    seconds = []
    for turn in range(4):
        model = styles.Regularized()
        start = time.process_time()
        export_model(model, images(model, 100), tmp_path / str(turn))
        seconds.append(time.process_time() - start)
    assert min(seconds[1:]) <= 0.3
