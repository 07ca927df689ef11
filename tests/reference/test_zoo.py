from dataclasses import replace

import pytest
import torch
from torch import nn

from reference.zoo import (
    AVG_POOL,
    BASELINE,
    CUSTOM,
    DEEP,
    EXPERIMENTS,
    GAP,
    MAX_POOL,
    REGULARIZED,
    Architecture,
    Block,
    Experiment,
    Pooling,
    build,
    for_images,
    map_size,
)


def _kinds(experiment: Experiment) -> list[type[nn.Module]]:
    """List the layers' types in order, containers left out."""
    model = build(experiment.architecture)
    inside = [layer for layer in model.modules() if not list(layer.children())]
    return [type(layer) for layer in inside if not isinstance(layer, nn.Identity)]


def _convolutions(experiment: Experiment) -> list[nn.Conv2d]:
    layers = build(experiment.architecture).modules()
    return [layer for layer in layers if isinstance(layer, nn.Conv2d)]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_every_network_gives_ten_scores_an_image(experiment: Experiment, shape: tuple[int, int, int]) -> None:
    """On images of both data sets, each network's output is (B, 10), finite, in both modes."""
    model = build(for_images(experiment, shape))
    for mode in (True, False):
        scores = model.train(mode)(torch.rand(4, *shape))
        assert scores.shape == (4, 10)
        assert scores.isfinite().all()


def test_the_names_are_the_lessons() -> None:
    """The seven keys that a student's `models` must have, in the lesson's order."""
    names = [experiment.name for experiment in EXPERIMENTS]
    assert names == [
        *("baseline", "max_pool", "avg_pool", "gap", "regularized", "deep", "custom"),
    ]


def test_the_baseline_is_what_task_3_asks() -> None:
    """Two convolutions, each with an activation, flattened into a linear layer; no more."""
    block = [nn.Conv2d, nn.ReLU]
    assert _kinds(BASELINE) == [*block, *block, nn.Flatten, nn.Linear]


def test_each_pooling_differs_from_the_baseline_in_pooling_alone() -> None:
    """Experiment 1: the baseline's layers in its order, pooling after each convolution."""
    for experiment, pooling in ((MAX_POOL, nn.MaxPool2d), (AVG_POOL, nn.AvgPool2d)):
        assert [kind for kind in _kinds(experiment) if kind is not pooling] == _kinds(BASELINE)
        assert _kinds(experiment).count(pooling) == 2


def test_gap_replaces_flatten_and_keeps_pooling() -> None:
    """Experiment 2: max_pool's layers, with the average of each map as the classifier's input."""
    without = [kind for kind in _kinds(GAP) if kind is not nn.AdaptiveAvgPool2d]
    assert without == _kinds(MAX_POOL)
    assert build(GAP.architecture).classifier.in_features == 32


def test_regularized_adds_normalisation_and_dropout_alone() -> None:
    """Experiment 3: gap's layers in its order, plus BatchNorm2d and Dropout2d."""
    added = {nn.BatchNorm2d, nn.Dropout2d}
    assert [kind for kind in _kinds(REGULARIZED) if kind not in added] == _kinds(GAP)
    assert added < set(_kinds(REGULARIZED))


def test_deep_has_more_convolutions_and_keeps_the_other_parts() -> None:
    """Experiment 4: more convolutions, filters that grow, the same kinds of layers."""
    filters = [layer.out_channels for layer in _convolutions(DEEP)]
    assert len(filters) > len(_convolutions(REGULARIZED))
    assert filters == sorted(filters)
    assert set(_kinds(DEEP)) == set(_kinds(REGULARIZED))


def test_custom_moves_two_parameters_away_from_their_defaults() -> None:
    """Experiment 5: stride and padding differ from nn.Conv2d's defaults somewhere."""
    assert any(layer.stride != (1, 1) for layer in _convolutions(CUSTOM))
    assert any(layer.padding != (0, 0) for layer in _convolutions(CUSTOM))
    assert set(_kinds(CUSTOM)) == set(_kinds(DEEP))


@pytest.mark.parametrize(
    "block",
    [
        Block((4,), kernel_size=5, stride=2),
        Block((4, 6), stride=3, padding=2),
        Block((4, 4), kernel_size=3, dilation=2),
        Block((4,), kernel_size=4, padding=1, dilation=3),
    ],
)
@pytest.mark.parametrize("pooling", Pooling)
def test_the_predicted_map_size_is_the_real_one(block: Block, pooling: Pooling) -> None:
    """The formula's height and width are those of the maps that come out, oblong images too."""
    architecture = Architecture((block,), pooling=pooling, shape=(2, 29, 20))
    maps = build(architecture).blocks[0](torch.rand(1, 2, 29, 20))
    assert map_size(architecture) == tuple(maps.shape[2:])


def test_images_too_small_for_the_blocks_are_refused() -> None:
    """A map of no pixels raises ValueError that names the images' size."""
    with pytest.raises(ValueError, match=r"Images of \(4, 4\) are too small"):
        build(replace(DEEP.architecture, shape=(1, 4, 4)))


def test_the_seed_decides_the_weights_and_nothing_else_changes() -> None:
    """One seed, one network; another seed, another; the global random state stays."""
    state = torch.get_rng_state()
    models = [build(BASELINE.architecture, seed) for seed in (3, 3, 4)]
    first, again, other = (model.classifier.weight for model in models)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)
