from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from reference.evaluation import quick_scores
from reference.zoo import EXPERIMENTS, Architecture, Block, Experiment, Head, Pooling, build

IMAGES = torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(8)


def _step(model: nn.Module, scores: Callable[[nn.Module], torch.Tensor]) -> list[torch.Tensor]:
    """Return the scores, each weight's gradient and each buffer after one pass forth and back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        given = scores(model)
    F.cross_entropy(given, LABELS).backward()
    gradients = [weights.grad for weights in model.parameters() if weights.grad is not None]
    return [given.detach(), *gradients, *model.buffers()]


def _same(architecture: Architecture) -> None:
    plain, short = build(architecture).double(), build(architecture).double()
    images = IMAGES[:, : architecture.shape[0]].double()
    expected = _step(plain, lambda model: model(images))
    actual = _step(short, lambda model: quick_scores(model, images))
    assert len(actual) == len(expected) > len(list(plain.parameters()))
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_the_shorter_way_computes_the_same(experiment: Experiment) -> None:
    """Scores, every gradient, batch norm's statistics: as the network's own forward gives them, dropout included."""
    _same(replace(experiment.architecture, shape=(3, 32, 32)))


@pytest.mark.parametrize("pooling", Pooling)
@pytest.mark.parametrize("head", Head)
def test_any_architecture_computes_the_same(pooling: Pooling, head: Head) -> None:
    """So it is with blocks of several layers, unpooled ones, strides and batch norm, on grey images."""
    blocks = (Block((4, 6), stride=2), Block((6,), pooled=False), Block((5,), dilation=2, padding=1))
    _same(Architecture(blocks, pooling, head, batch_norm=True, dropout=0.3, shape=(1, 32, 32)))


def test_equal_values_in_a_window_give_the_first_the_gradient() -> None:
    """Where a window of the pooling holds the same value twice, or nothing above zero, nothing changes."""
    architecture = Architecture((Block((3,)),), Pooling.MAX, shape=(3, 32, 32))
    models = [build(architecture), build(architecture)]
    flat = torch.ones_like(IMAGES)
    expected = _step(models[0], lambda model: model(flat))
    actual = _step(models[1], lambda model: quick_scores(model, flat))
    convolved = next(iter(models[0].blocks[0].children()))(flat)
    assert (convolved[:, :, 0, 0] < 0).any()
    assert (convolved[:, :, 0, 0] > 0).any()
    assert (convolved == convolved[:, :, :1, :1]).all()
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-7)


def test_another_network_runs_as_it_is() -> None:
    """A network that is none of the zoo's gives its own scores, to the last bit."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(900, 10))
    assert torch.equal(quick_scores(model, IMAGES), model(IMAGES))
