"""Scores on many images: a model's first layers in oneDNN's layout give what they give in PyTorch's, to the last bit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from autograder.models.rebuild import RebuiltModel, predict
from autograder.models.rebuild.prediction import _quick_steps
from tests.models.rebuilding import images, roundtrip

SHAPE = (4, 1, 28, 28)
CHAINS: dict[str, Callable[[], nn.Module]] = {
    "relu, max": lambda: nn.Sequential(nn.Conv2d(1, 12, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(12, 8, 3), nn.ReLU()),
    "max, relu": lambda: nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.MaxPool2d(3, 2), nn.ReLU(), nn.Conv2d(8, 8, 3)),
    "average": lambda: nn.Sequential(
        nn.Conv2d(1, 5, 3, padding=1), nn.AvgPool2d(2), nn.Dropout2d(0.5), nn.AvgPool2d(3, 2)
    ),
    "no bias": lambda: nn.Sequential(
        nn.Conv2d(1, 16, 3, bias=False), nn.ReLU(), nn.Conv2d(16, 16, 3, groups=4), nn.ReLU()
    ),
    "batch norm after": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.Tanh()
    ),
    "same sizes": lambda: nn.Sequential(
        nn.Conv2d(1, 8, 3, padding="same", dilation=2), nn.ReLU(), nn.MaxPool2d(2, 2, 1)
    ),
}


class Branches(nn.Module):
    """The first maps are read twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(1, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Add a branch to its own input."""
        maps = torch.relu(self.first(x))
        return self.last((maps + torch.relu(self.second(maps))).mean((2, 3)))  # type: ignore[no-any-return]


def classifier(maps: nn.Module) -> nn.Sequential:
    """End a network with ten scores."""
    return nn.Sequential(maps, nn.Flatten(), nn.LazyLinear(10))


def rebuilt(model: nn.Module, folder: Path) -> RebuiltModel:
    """Rebuild a model in eval mode, its lazy layer made first."""
    torch.manual_seed(0)
    model.eval()(images(*SHAPE))
    return roundtrip(model, images(*SHAPE), folder)


def one_by_one(model: RebuiltModel, fresh: Tensor) -> Tensor:
    """Compute each batch as PyTorch lays it out."""
    with torch.inference_mode():
        return torch.cat([model(batch) for batch in fresh.split(len(fresh) // 2)])


@pytest.mark.parametrize("name", CHAINS)
def test_the_quick_layout_changes_no_bit(name: str, tmp_path: Path) -> None:
    """Of convolutions, ReLU, pooling, dropout that is off; what follows them is computed as before."""
    model, fresh = rebuilt(classifier(CHAINS[name]()), tmp_path), images(8, 1, 28, 28, seed=3) * 4 - 2
    assert torch.equal(predict(model, fresh), one_by_one(model, fresh))
    assert bool(_quick_steps(model, fresh)) is (name != "same sizes")


def test_maps_that_two_layers_read_are_left_as_they_are(tmp_path: Path) -> None:
    """The chain ends where a value has two readers."""
    model, fresh = rebuilt(Branches(), tmp_path), images(8, 1, 28, 28, seed=3)
    assert [model.steps[index].name in _quick_steps(model, fresh) for index in range(3)] == [True, True, False]
    assert torch.equal(predict(model, fresh), one_by_one(model, fresh))


@pytest.mark.parametrize("spoilt", ["images", "weights", "overflow"])
def test_what_is_not_finite_stays_so(spoilt: str, tmp_path: Path) -> None:
    """In oneDNN's layout ReLU turns NaN into zero: there a model may run only where no value can be NaN."""
    network, fresh = classifier(CHAINS["relu, max"]()), images(8, 1, 28, 28, seed=3)
    if spoilt == "images":
        fresh[5, 0, 9, 9] = torch.nan
    else:
        first = network[0][0]  # type: ignore[index]
        with torch.no_grad():
            first.weight[2] = torch.nan if spoilt == "weights" else 1e38
    model = rebuilt(network, tmp_path)
    assert predict(model, images(8, 1, 28, 28)).shape == (8, 10)  # what is kept of earlier images does not count
    scores = predict(model, fresh)
    assert torch.equal(scores.nan_to_num(7), one_by_one(model, fresh).nan_to_num(7))
    assert not scores.isfinite().all()
