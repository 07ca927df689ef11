"""The classification CNNs of torchvision go over as data and come back the same; no weights are downloaded."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import nn
from torchinfo import summary
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.efficientnet import FusedMBConvConfig, MBConvConfig
from torchvision.models.mobilenetv3 import InvertedResidualConfig
from torchvision.models.regnet import BlockParams
from torchvision.models.resnet import Bottleneck

from tests.models.rebuilding import agree, images, roundtrip, vary


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
    rebuilt = roundtrip(model, example, tmp_path)
    assert agree(model, rebuilt, example)
    expected = summary(model, input_data=[example], verbose=0).total_params
    aux = 0 if family != "googlenet" else sum(p.numel() for n, p in model.named_parameters() if n.startswith("aux"))
    assert summary(rebuilt, input_data=[example], verbose=0).total_params == expected - aux


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
