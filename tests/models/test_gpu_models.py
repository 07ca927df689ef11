"""Networks on a GPU: recorded there, rebuilt and measured on a processor.

Fake tensors know which device they are on and hold no values: so what a network's graph is on a GPU can be seen without one.
"""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from autograder.engine.inside.failures import restored_generators
from autograder.lesson.measure import COARSE_TOLERANCE, MeasuredModel, _close
from autograder.lesson.recorders.images import VisibleImages
from autograder.lesson.recorders.maps import record_maps
from autograder.lesson.recorders.networks import record_model
from autograder.models.capture.export import Method, beside, export_model
from autograder.models.capture.gradients import count_steps
from autograder.models.rebuild import rebuild_model
from tests.models.rebuilding import agree, images, roundtrip, vary
from tests.models.student_models import Autocast
from tests.models.training import STEPS, X, Y, net

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
LAYERS: tuple[Callable[[], nn.Module], ...] = (
    lambda: nn.Conv2d(1, 4, 3),
    lambda: nn.BatchNorm2d(4),
    nn.ReLU,
    lambda: nn.MaxPool2d(2),
    lambda: nn.Dropout2d(0.1),
    lambda: nn.Dropout(0.2),
    lambda: nn.AdaptiveAvgPool2d(1),
    nn.Flatten,
    lambda: nn.Linear(4, 10),
)


def fake(device: str) -> tuple[nn.Module, Tensor, FakeTensorMode]:
    """Make a network and a batch of images without values on a device."""
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode, torch.device(device):
        return nn.Sequential(*(layer() for layer in LAYERS)), torch.rand(4, 1, 28, 28), mode


@pytest.mark.parametrize("training", [False, True])
def test_a_graph_is_the_same_on_a_gpu(training: bool) -> None:
    """Both of the tracers that keep layers whole write the same operations wherever the network is."""
    graphs: dict[str, list[list[str]]] = {}
    for device in ("cpu", "cuda"):
        model, example, mode = fake(device)
        model.train(training)
        exported = torch.export.export(model, (example,), strict=False).graph_module
        with mode, torch.no_grad():
            traced = make_fx(model, tracing_mode="real", pre_dispatch=True)(example)
        modules = (exported, traced)
        calls = [[node for node in module.graph.nodes if node.op == "call_function"] for module in modules]
        graphs[device] = [[str(node.target) for node in nodes] for nodes in calls]
    assert graphs["cuda"] == graphs["cpu"]
    assert "aten.batch_norm.default" in graphs["cpu"][0]


def test_images_go_where_the_network_is() -> None:
    """The grader's images lie in the machine's memory; a network on a GPU takes them only there, one without weights anywhere."""
    model, example, mode = fake("cuda")
    with mode, torch.no_grad():
        here = torch.rand(example.shape)
        with pytest.raises(RuntimeError, match=r"cuda:0.*cpu"):
            model(here)
        assert model(beside(model, here)).device.type == "cuda"
        assert beside(nn.Flatten(), here) is here


def test_recorders_bring_the_images_to_the_network(tmp_path: Path) -> None:
    """Those of scores and of maps get as far as the values, which a fake network does not have."""
    model, _, mode = fake("cuda")
    with mode:
        testset = [(torch.rand(1, 28, 28), 0) for _ in range(4)]
        namespace = {"testset": testset, "models": {"baseline": model}, "cam": lambda *_: torch.zeros(3, 3)}
        (scores,) = record_model(VisibleImages(), namespace, {"name": "baseline"}, tmp_path, tmp_path)
        maps = record_maps(VisibleImages(), namespace, {"models": ["baseline"]}, tmp_path, tmp_path)
    assert ".numpy()" in scores["unscored"]["message"]
    assert {each["failure"]["type"] for each in maps} == {"DataDependentOutputException"}


class Branching(nn.Module):
    """Branches on a value, so that only the recorder below autograd can follow it."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        )
        self.fc = nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores (B, 10)."""
        if x.max() > 100:
            x = x / 255
        return self.fc(self.layers(x))  # type: ignore[no-any-return]


def test_cudnn_batch_norm_is_the_layer_that_it_is_on_a_processor(tmp_path: Path) -> None:
    """That recorder sees cuDNN's operation on a GPU: the network rebuilt from it gives the same scores."""
    model, batch = vary(Branching()).eval(), images(4, 1, 28, 28)
    assert export_model(model, batch, tmp_path).method is Method.DISPATCH
    graph = json.loads((tmp_path / "graph.json").read_text())
    (norm,) = [node for node in graph["nodes"] if node["op"] == "aten.native_batch_norm.default"]
    norm["op"] = "aten.cudnn_batch_norm.default"  # its arguments are the same, in the same order
    (tmp_path / "graph.json").write_text(json.dumps(graph))
    assert agree(model, rebuild_model(tmp_path), batch)


class Images:
    """Images through a transform, whose scores are known."""

    labels = torch.zeros(4)

    def __init__(self, known: Tensor) -> None:
        self.known = known

    def scores(self, _: object) -> Tensor:
        """Return them."""
        return self.known


@pytest.mark.parametrize(
    ("network", "from_gpu", "coarse"), [(Autocast, True, True), (Autocast, False, False), (Branching, True, False)]
)
def test_only_sixteen_bits_of_a_gpu_are_compared_coarsely(
    network: Callable[[], nn.Module], from_gpu: bool, coarse: bool, tmp_path: Path
) -> None:
    """Scores that a GPU rounds otherwise still agree where the network computes in 16 bits there, and nowhere else."""
    batch = images(4, 1, 28, 28)
    rebuilt = roundtrip(network().eval(), batch, tmp_path)
    with torch.no_grad():
        scores = rebuilt(batch)
    unit = COARSE_TOLERANCE * (1 + float(scores.abs().max()))
    measured = MeasuredModel(rebuilt, Images(scores), Images(scores), from_gpu=from_gpu)  # type: ignore[arg-type]
    assert measured.agrees(scores)
    assert measured.agrees(scores + unit / 2) is coarse
    assert not measured.agrees(scores + 2 * unit)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_gpu)])
def test_a_network_is_counted_recorded_and_rebuilt(device: str, tmp_path: Path) -> None:
    """Wherever it was trained: its steps are seen, and a processor gives the scores that it gave there, to a thousandth."""
    count_steps()
    model = net().to(device)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        F.cross_entropy(model(X.to(device)), Y.to(device)).backward()
        optimizer.step()
    namespace = {"testset": [(image, 0) for image in X], "models": {"baseline": model}}
    with torch.backends.cudnn.flags(allow_tf32=False):  # as in the sandbox
        (record,) = record_model(VisibleImages(), namespace, {"name": "baseline"}, tmp_path, tmp_path)
    assert (record["gradients"]["steps"], record["method"], record["train_graph"]) == (STEPS, Method.EXPORT, True)
    assert next(model.parameters()).device.type == device
    with torch.no_grad():
        ours = rebuild_model(tmp_path / "baseline")(X)
    theirs = torch.from_numpy(np.load(tmp_path / "baseline" / "outputs.npy"))
    assert _close(ours, theirs)


@needs_gpu
def test_random_states_of_a_gpu_are_restored(tmp_path: Path) -> None:
    """Neither a probe nor an export moves the generator that the notebook draws its next batch with."""
    before = torch.cuda.get_rng_state()
    with restored_generators():
        torch.rand(3, device="cuda")
        export_model(nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(36, 10)).cuda(), X, tmp_path)
    assert torch.equal(torch.cuda.get_rng_state(), before)
