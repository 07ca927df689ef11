"""The judge's side: what comes back from data computes what the student's model computed, layer by layer."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn
from torchinfo import summary
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.regnet import BlockParams
from torchvision.models.resnet import Bottleneck

from autograder.errors import EvidenceError
from autograder.lift import LiftedModel, StepKind, lift, predict
from autograder.probe import export
from autograder.probe.export import Method, export_model
from tests import student_models as styles

K = StepKind


def images(*shape: int, seed: int = 0) -> Tensor:
    """Random images in [0, 1)."""
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def roundtrip(model: nn.Module, example: Tensor, folder: Path) -> LiftedModel:
    """Write a model as data and read it back."""
    export_model(model, example, folder)
    return lift(folder)


def agree(model: nn.Module, lifted: LiftedModel, example: Tensor) -> bool:
    """Whether both give the same scores, to 1e-4, on images that the export never saw."""
    fresh = images(*example.shape, seed=1).to(example.dtype)
    with torch.no_grad():
        expected, actual = model.eval()(fresh.clone()), lifted(fresh.clone())
    return actual.dtype == expected.dtype and torch.allclose(actual, expected, rtol=1e-4, atol=1e-4)


def vary(model: nn.Module) -> nn.Module:
    """Give batch norms statistics that matter."""
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d) and layer.running_mean is not None and layer.running_var is not None:
            layer.running_mean.uniform_(-0.1, 0.1)
            layer.running_var.uniform_(0.5, 1.5)
    return model


def kinds(lifted: LiftedModel) -> list[StepKind]:
    """The kinds of the steps, in order."""
    return [step.kind for step in lifted.steps]


@pytest.mark.parametrize("style", styles.STYLES)
def test_every_style_computes_the_same(style: str, tmp_path: Path) -> None:
    """Whatever way a model is written, the lifted one agrees with it; torchinfo counts the parameters it uses."""
    torch.manual_seed(0)
    model = styles.STYLES[style]()
    model = getattr(model, "_orig_mod", model)
    example = images(4, 1, 28, 28).to(next(model.parameters()).dtype)
    lifted = roundtrip(vary(model), example, tmp_path)
    assert agree(model, lifted, example)
    unused = {"Shared": 10_180, "WeightNormed": 4}.get(style, 0)  # fc.weight and unused; weight_norm's g, folded
    declared = sum(parameter.numel() for parameter in model.parameters())
    assert lifted.parameters_declared == declared
    counted = summary(lifted, input_data=[example], verbose=0).total_params
    assert counted == declared - unused


@pytest.mark.parametrize("method", [Method.MAKE_FX, Method.DISPATCH])
@pytest.mark.parametrize(
    "style", ["sequential", "Residual", "Regularized", "WritesIntoSlices", "Attention", "Autocast"]
)
def test_the_fall_backs_compute_the_same(
    method: Method, style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Graphs of `make_fx` and of the recorder under autograd lift to the same outputs and the same real layers."""
    torch.manual_seed(0)
    model, example = vary(styles.STYLES[style]()), images(4, 1, 28, 28)
    preferred = roundtrip(model, example, tmp_path / "first")
    for other in set(Method) - {method}:
        monkeypatch.setitem(export.TRACERS, other, refuse)
    assert export_model(model, example, tmp_path / "second").method is method
    lifted = lift(tmp_path / "second")
    assert agree(model, lifted, example)
    assert layers(lifted) == layers(preferred)


def refuse(*_arguments: object) -> Any:
    """Stand in for a tracer that fails."""
    raise RuntimeError("switched off")


def layers(lifted: LiftedModel) -> list[str]:
    """The real layers by class; below autograd dropout leaves no trace in evaluation mode."""
    names = [type(step.layer).__name__ for step in lifted.steps if step.layer is not None]
    return [name for name in names if not name.startswith("Dropout")]


def test_the_recorder_shows_dropout_in_training_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below autograd dropout is a random mask: one number a map is Dropout2d, one a value is Dropout."""
    for other in set(Method) - {Method.DISPATCH}:
        monkeypatch.setitem(export.TRACERS, other, refuse)
    export_model(styles.Regularized(), images(4, 1, 28, 28), tmp_path)
    found = kinds(lift(tmp_path, train=True))
    assert [kind for kind in found if kind in {K.DROPOUT, K.DROPOUT2D, K.BATCH_NORM}] == [
        K.BATCH_NORM,
        K.DROPOUT2D,
        K.DROPOUT,
    ]


def test_steps_show_the_data_flow(tmp_path: Path) -> None:
    """Each step names what it reads, its shape, its layer: a residual sum reads the block's end and its beginning."""
    lifted = roundtrip(styles.Residual(), images(4, 1, 28, 28), tmp_path)
    assert kinds(lifted) == [K.CONV, K.ACTIVATION, K.CONV, K.OTHER, K.ACTIVATION, K.GLOBAL_POOL, K.FLATTEN, K.LINEAR]
    conv1, relu, conv2, total, *_, linear = lifted.steps
    assert conv1.inputs == (lifted.signature.input,)
    assert total.inputs == (conv2.name, relu.name)
    assert isinstance(conv2.layer, nn.Conv2d)
    assert (conv1.output_shape, linear.output_shape) == ((4, 8, 28, 28), (4, 10))
    assert linear.name == lifted.output


def test_recorded_maps_are_those_before_an_activation_in_place(tmp_path: Path) -> None:
    """`F.relu_` after a convolution does not overwrite the map that a grader's hook kept."""
    lifted = roundtrip(styles.Residual(), images(4, 1, 28, 28), tmp_path)
    kept: list[Tensor] = []
    conv = lifted.steps[0].layer
    assert conv is not None
    conv.register_forward_hook(lambda _layer, _inputs, output: kept.append(output))
    lifted(images(4, 1, 28, 28))
    assert kept[0].min() < 0


def test_unused_layers_are_absent_and_a_layer_used_twice_is_one(tmp_path: Path) -> None:
    """Only what lies on the path from input to output is lifted; shared weights make one module."""
    lifted = roundtrip(styles.Shared(), images(4, 1, 28, 28), tmp_path)
    convs = [step.layer for step in lifted.steps if step.kind is K.CONV]
    assert len(convs) == 3
    assert convs[1] is convs[2]
    assert convs[0] is not convs[1]
    assert all(parameter.numel() != 10_000 for parameter in lifted.parameters())


def test_the_train_graph_has_the_layers_of_training(tmp_path: Path) -> None:
    """`lift(train=True)` shows dropout under `if self.training`; its layers are in training mode and stay so."""
    export_model(styles.TrainingBranch(), images(4, 1, 28, 28), tmp_path)
    trained = lift(tmp_path, train=True)
    drop = next(step.layer for step in trained.steps if step.kind is K.DROPOUT2D)
    assert isinstance(drop, nn.Dropout2d)
    assert trained.eval()
    assert drop.training
    assert K.DROPOUT2D not in kinds(lift(tmp_path))


class Written(nn.Module):
    """A convolution, then whatever is being tested, then a linear layer."""

    def __init__(self, middle: Callable[[Tensor], Tensor], width: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.middle = middle
        self.fc = nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 1, H, W) to (B, 10)."""
        return self.fc(self.middle(self.conv(x)))  # type: ignore[no-any-return]


GLOBAL_POOLS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.mean((2, 3)),
    lambda x: x.mean(dim=[-1, -2], keepdim=True).flatten(1),
    lambda x: x.mean(3).mean(2),
    lambda x: x.flatten(2).mean(-1),
    lambda x: x.view(x.size(0), x.size(1), -1).mean(2),
    lambda x: F.adaptive_avg_pool2d(x, 1).view(x.size(0), -1),
    lambda x: nn.AdaptiveAvgPool2d((1, 1))(x).squeeze(),
    lambda x: F.avg_pool2d(x, x.shape[2:]).reshape(-1, 4),
    lambda x: nn.AvgPool2d(8)(x).squeeze(-1).squeeze(-1),
]


@pytest.mark.parametrize("pool", GLOBAL_POOLS)
def test_global_average_pooling_is_seen_however_it_is_written(pool: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """As a layer, a function, a mean over axes at once or one by one: it is one global pooling step."""
    model, example = Written(pool), images(4, 1, 8, 8)
    lifted = roundtrip(model, example, tmp_path)
    assert agree(model, lifted, example)
    assert kinds(lifted).count(K.GLOBAL_POOL) == 1
    assert kinds(lifted).count(K.AVG_POOL) == 0


FLATTENS: list[Callable[[Tensor], Tensor]] = [
    lambda x: x.flatten(1),
    lambda x: torch.flatten(x, start_dim=1),
    nn.Flatten(),
    lambda x: x.view(x.size(0), -1),
    lambda x: x.reshape(len(x), 256),
    lambda x: x.view(-1, 4 * 8 * 8),
]


@pytest.mark.parametrize("flatten", FLATTENS)
def test_flatten_is_seen_however_it_is_written(flatten: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """As a layer, a function or a view: it is one flatten step, and no pooling."""
    lifted = roundtrip(Written(flatten, 256), images(4, 1, 8, 8), tmp_path)
    assert kinds(lifted) == [K.CONV, K.FLATTEN, K.LINEAR]


ACTIVATIONS: list[Callable[[Tensor], Tensor]] = [
    torch.relu,
    F.relu_,
    F.relu6,
    F.leaky_relu,
    F.elu,
    F.celu,
    F.selu,
    F.gelu,
    F.silu,
    F.mish,
    F.hardswish,
    F.hardsigmoid,
    F.hardtanh,
    F.softplus,
    F.logsigmoid,
    F.softshrink,
    torch.tanh,
    torch.sigmoid,
    nn.PReLU(4),
    nn.Threshold(0.1, 0.0),
    lambda x: x.clamp(min=0),
    lambda x: torch.clamp(x, 0, 6),
    lambda x: torch.maximum(x, torch.zeros_like(x)),
    lambda x: torch.where(x > 0, x, 0.0),
]


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_are_seen_however_they_are_written(activation: Callable[[Tensor], Tensor], tmp_path: Path) -> None:
    """Every activation of `torch.nn`, and a ReLU written by hand, is an activation step with the same outputs."""
    model, example = Written(lambda x: activation(x).mean((2, 3))), images(4, 1, 8, 8)
    if isinstance(activation, nn.Module):
        model.activation = activation
    lifted = roundtrip(model, example, tmp_path)
    assert agree(model, lifted, example)
    assert [kind for kind in kinds(lifted) if kind is not K.OTHER] == [
        K.CONV,
        K.ACTIVATION,
        K.GLOBAL_POOL,
        K.FLATTEN,
        K.LINEAR,
    ]


def test_a_layer_keeps_the_settings_of_its_operation(tmp_path: Path) -> None:
    """Stride, padding, dilation, groups, eps and probabilities come through to the real layers."""
    conv = nn.Conv2d(4, 8, (3, 5), stride=(2, 1), padding=(1, 4), dilation=(1, 2), groups=2, bias=False)
    pools = nn.MaxPool2d((3, 2), (2, 2), (1, 1), (1, 1)), nn.AvgPool2d((2, 2), (2, 2), (0, 0), ceil_mode=True)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"), conv, nn.BatchNorm2d(8, eps=0.1), nn.Dropout2d(0.3), *pools
    )
    lifted = roundtrip(model, images(2, 1, 16, 16), tmp_path)
    assert [repr(step.layer) for step in lifted.steps] == [repr(layer.eval()) for layer in model]


def test_prediction_goes_in_batches_of_the_exported_size(tmp_path: Path) -> None:
    """Ten images through a model of batch four give the ten rows that the live model gives, in order."""
    model = styles.Base().eval()
    lifted = roundtrip(model, images(4, 1, 28, 28), tmp_path)
    fresh = images(10, 1, 28, 28, seed=2)
    with torch.no_grad():
        expected = model(fresh)
    assert lifted.batch_size == 4
    assert torch.allclose(predict(lifted, fresh), expected, atol=1e-5)
    assert torch.allclose(predict(lifted, fresh[:1]), expected[:1], atol=1e-5)


def test_another_batch_size_is_refused(tmp_path: Path) -> None:
    """The batch is fixed: a model may branch on it."""
    lifted = roundtrip(styles.Base(), images(4, 1, 28, 28), tmp_path)
    with pytest.raises(EvidenceError, match=r"takes \(4, 1, 28, 28\), not \(5, 1, 28, 28\)"):
        lifted(images(5, 1, 28, 28))


class Program(nn.Module):
    """Ten random steps on shared memory: views, slices, changes in place, and reads of what came before."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.weight = nn.Parameter(torch.ones(3, 4))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, 4) to (B, 10)."""
        chance = random.Random(self.seed)  # noqa: S311 - repeatable, not secret
        values = [chance.choice([x, x * 1]), x + self.weight]
        for _ in range(10):
            one, other = chance.choice(values), chance.choice(values)
            values.append(chance.choice(MOVES)(one, other))
        return sum(values[1:], values[0]).flatten(1)[:, :10]


def fill(one: Tensor, _other: Tensor) -> Tensor:
    """Write into a slice."""
    one[:, :1] = 0.5
    return one


MOVES: list[Callable[[Tensor, Tensor], Tensor]] = [
    fill,
    lambda one, _: one.view(one.shape),
    lambda one, _: one[:, :, :],
    lambda one, _: one.add_(0.25),
    lambda one, _: one[:, 1:].mul_(2).sum() + one,
    lambda one, other: one.mul_(other.clone()),
    lambda one, _: torch.sigmoid_(one),
    lambda one, other: torch.relu_(one - other),
    lambda one, other: one + other,
    lambda one, _: one.flatten(1).view(one.shape),
    lambda one, _: F.dropout(one, 0.5, training=False),
]


@pytest.mark.parametrize("seed", range(20))
def test_changes_in_place_are_seen_through_every_view(seed: int, tmp_path: Path) -> None:
    """Random programs on shared memory compute the same, twice, and leave the images they are given alone."""
    model, example = Program(seed), images(2, 3, 4)
    lifted = roundtrip(model, example, tmp_path)
    fresh = images(2, 3, 4, seed=3)
    with torch.no_grad():
        expected = model(fresh.clone())
        assert torch.allclose(lifted(fresh), expected, atol=1e-5)
        assert torch.allclose(lifted(fresh), expected, atol=1e-5)


def vgg() -> nn.Module:
    """VGG's own features with a classifier of a size that tests can afford."""
    model: nn.Module = torchvision.models.vgg11_bn(weights=None, init_weights=False)
    model.classifier = nn.Sequential(nn.Linear(512 * 7 * 7, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 10))
    return model


def alexnet() -> nn.Module:
    """AlexNet's own features with a small classifier."""
    model: nn.Module = torchvision.models.alexnet(weights=None)
    model.classifier = nn.Sequential(nn.Dropout(), nn.Linear(256 * 6 * 6, 16), nn.ReLU(), nn.Linear(16, 10))
    return model


def efficientnet() -> nn.Module:
    """Both kinds of EfficientNet's blocks, few of each."""
    blocks = [FusedMBConvConfig(1, 3, 1, 8, 8, 1), MBConvConfig(4, 3, 2, 8, 16, 2)]
    model: nn.Module = torchvision.models.EfficientNet(blocks, dropout=0.2, num_classes=10)
    return model


def mobilenet_v3() -> nn.Module:
    """MobileNetV3's blocks with and without attention, with both activations."""
    settings = [(8, 3, 16, 8, True, "RE", 2, 1), (8, 5, 32, 16, True, "HS", 2, 1), (16, 5, 32, 16, False, "HS", 1, 2)]
    blocks = [InvertedResidualConfig(*setting, width_mult=1.0) for setting in settings]
    model: nn.Module = torchvision.models.MobileNetV3(blocks, last_channel=32, num_classes=10)
    return model


def regnet() -> nn.Module:
    """RegNet's rule for widths, on a small budget, with squeeze-and-excitation."""
    widths = BlockParams.from_init_params(4, 16, 10.0, 2.2, 8, se_ratio=0.25)
    model: nn.Module = torchvision.models.RegNet(widths, num_classes=10)
    return model


# Small members by torchvision's own constructors; Inception has none and is among all the others in the soak.
FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "alexnet": alexnet,
    "convnext": lambda: torchvision.models.ConvNeXt([CNBlockConfig(8, 16, 1), CNBlockConfig(16, None, 2)]),
    "densenet": lambda: torchvision.models.DenseNet(8, (2, 3), 16, num_classes=10),
    "efficientnet": efficientnet,
    "googlenet": lambda: torchvision.models.googlenet(weights=None, init_weights=False),
    "mnasnet": lambda: torchvision.models.mnasnet0_5(weights=None),
    "mobilenet_v2": lambda: torchvision.models.MobileNetV2(10, inverted_residual_setting=[[1, 8, 1, 1], [6, 16, 2, 2]]),
    "mobilenet_v3": mobilenet_v3,
    "regnet": regnet,
    "resnet": lambda: torchvision.models.resnet18(weights=None),
    "resnext": lambda: torchvision.models.ResNet(Bottleneck, [1, 1, 1, 1], 10, groups=8, width_per_group=4),
    "shufflenet": lambda: torchvision.models.ShuffleNetV2([2, 2, 1], [8, 16, 32, 64, 64], 10),
    "squeezenet": lambda: torchvision.models.squeezenet1_1(weights=None),
    "vgg": vgg,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_one_of_each_family_of_torchvision_computes_the_same(family: str, tmp_path: Path) -> None:
    """A small CNN of each classification family agrees, and torchinfo counts the parameters of its own layers."""
    torch.manual_seed(0)
    model, example = vary(FAMILIES[family]()), images(2, 3, 64, 64)
    lifted = roundtrip(model, example, tmp_path)
    assert agree(model, lifted, example)
    expected = summary(model, input_data=[example], verbose=0).total_params
    aux = 0 if family != "googlenet" else sum(p.numel() for n, p in model.named_parameters() if n.startswith("aux"))
    assert summary(lifted, input_data=[example], verbose=0).total_params == expected - aux


LIMIT = 30_000_000
TRANSFORMERS = ("vit", "swin", "maxvit")
CNNS = [name for name in torchvision.models.list_models(module=torchvision.models) if not name.startswith(TRANSFORMERS)]


def declared(name: str) -> int:
    """The number of parameters, from torchvision's own table; nothing is downloaded."""
    return int(torchvision.models.get_model_weights(name).DEFAULT.meta["num_params"])


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in CNNS if declared(name) <= LIMIT])
def test_every_cnn_of_torchvision_up_to_30_million_parameters_computes_the_same(name: str, tmp_path: Path) -> None:
    """Every classification CNN of torchvision that is not larger agrees on random input."""
    torch.manual_seed(0)
    quick = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
    model = vary(torchvision.models.get_model(name, weights=None, **quick))
    example = images(2, 3, 299, 299) if name == "inception_v3" else images(2, 3, 96, 96)
    assert agree(model, roundtrip(model, example, tmp_path), example)
