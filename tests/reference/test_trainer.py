from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from torch.nn import functional as F

from reference.data import Images, to_float
from reference.evaluation import accuracy, confusion, evaluate, macro_f1
from reference.recipe import Optimiser, Recipe
from reference.trainer import Epoch, train
from reference.zoo import EXPERIMENTS, REGULARIZED, Architecture, Block, Experiment, build

SMALL = Architecture(blocks=(Block((4,), stride=2), Block((8,), stride=2)), shape=(1, 12, 12))
EXACT = Recipe(epochs=3, batch_size=32, learning_rate=5e-3, device="cpu", bfloat16=False)


def _squares(n: int, seed: int) -> Images:
    """Draw ten easy classes: a bright column whose place, and a noise that does not, tells which."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 10
    images = torch.randint(0, 120, (n, 12, 12), generator=generator, dtype=torch.uint8)
    images[torch.arange(n), :, labels + 1] = 255
    return Images(images, labels)


TRAIN, CHECK = _squares(320, 0), _squares(100, 1)


def _state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_training_learns_and_says_how_it_went() -> None:
    """Loss falls, accuracy rises above 0.9 on easy images, one value an epoch in each series."""
    model = build(SMALL)
    told: list[Epoch] = []
    history = train(model, TRAIN, CHECK, replace(EXACT, epochs=8), told.append)
    assert history.train_loss[-1] < history.train_loss[0] / 2
    assert history.val_loss[-1] < history.val_loss[0]
    assert history.val_accuracy[-1] > 0.9
    assert [epoch.number for epoch in told] == list(range(1, 9))
    assert history.train_loss == tuple(epoch.train_loss for epoch in told)
    assert history.val_accuracy[-1] == evaluate(model, CHECK, EXACT).accuracy


def test_one_epoch_is_the_textbooks() -> None:
    """The same weights, to 1e-5, as a plain loop over the same batches with plain Adam."""
    recipe = replace(EXACT, epochs=1, mean=0.3, std=0.7)
    fast, plain = build(SMALL), build(SMALL)
    history = train(fast, TRAIN, CHECK, recipe)
    inputs = (to_float(TRAIN.images) - 0.3) / 0.7
    optimiser = torch.optim.Adam(plain.parameters(), lr=recipe.learning_rate)
    with torch.random.fork_rng():
        torch.manual_seed(recipe.seed)
        order = torch.randperm(len(TRAIN))
    losses = []
    for batch in order.reshape(-1, 32):
        loss = F.cross_entropy(plain(inputs[batch]), TRAIN.labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    for ours, theirs in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert history.train_loss == pytest.approx([np.mean(losses)], rel=1e-5)


@pytest.mark.parametrize("optimiser", Optimiser)
def test_one_seed_gives_the_same_weights(optimiser: Optimiser) -> None:
    """Trained twice, equal to the last bit, dropout and mirroring included; another seed differs."""
    recipe = replace(EXACT, optimiser=optimiser, flip=True, one_cycle=True, momentum=0.9)
    architecture = replace(SMALL, dropout=0.2, batch_norm=True)
    first, again, other = (build(architecture) for _ in range(3))
    torch.manual_seed(1)
    train(first, TRAIN, CHECK, recipe)
    torch.manual_seed(2)
    train(again, TRAIN, CHECK, recipe)
    train(other, TRAIN, CHECK, replace(recipe, seed=1))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_what_was_changed_for_a_while_is_restored() -> None:
    """Random state, threads, gradient mode, each layer's mode: as before training and measuring."""
    model = build(replace(SMALL, dropout=0.2)).eval()
    model.classifier.train()
    modes = [module.training for module in model.modules()]
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    train(model, TRAIN, CHECK, EXACT)
    evaluate(model, CHECK, EXACT)
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.is_grad_enabled()
    assert all(weights.is_contiguous() for weights in model.parameters())


def test_a_failing_report_leaves_all_restored() -> None:
    """An exception out of the loop, as when a person stops it, changes no mode and no seed."""
    model = build(SMALL).eval()
    state = torch.get_rng_state()

    def stop(_: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, TRAIN, CHECK, EXACT, stop)
    assert not any(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)


def test_measuring_changes_nothing_and_sees_evaluation_mode() -> None:
    """Batch norm's statistics stay, dropout is off, and the figures are those of a plain pass."""
    model = build(replace(SMALL, dropout=0.5, batch_norm=True))
    before = _state(model)
    metrics = evaluate(model, CHECK, EXACT)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert model.training
    with torch.no_grad():
        scores = model.eval()((to_float(CHECK.images) - 0.5) / 0.5)
    assert metrics.loss == pytest.approx(F.cross_entropy(scores, CHECK.labels).item(), rel=1e-5)
    predicted = scores.argmax(dim=1)
    assert metrics.accuracy == pytest.approx(accuracy_score(CHECK.labels, predicted))
    assert metrics.f1 == pytest.approx(f1_score(CHECK.labels, predicted, average="macro"))


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("n", [1, 4, 200])
def test_accuracy_and_f1_are_scikit_learns(classes: int, n: int) -> None:
    """On random predictions, classes that never occur or are never predicted included."""
    generator = np.random.default_rng(classes * 1000 + n)
    for _ in range(20):
        labels, predicted = generator.integers(0, classes, (2, n))
        counts = confusion(torch.from_numpy(predicted), torch.from_numpy(labels), classes)
        expected = f1_score(labels, predicted, average="macro", zero_division=0)
        assert macro_f1(counts).item() == pytest.approx(expected, abs=1e-12)
        assert accuracy(counts).item() == pytest.approx(accuracy_score(labels, predicted))


def test_bfloat16_learns_as_well() -> None:
    """In bfloat16 the same recipe ends within 0.05 of float32's accuracy; the weights stay float32."""
    recipe = replace(EXACT, epochs=8, bfloat16=True)
    model, exact = build(SMALL), build(SMALL)
    train(model, TRAIN, CHECK, recipe)
    train(exact, TRAIN, CHECK, replace(recipe, bfloat16=False))
    assert all(weights.dtype == torch.float32 for weights in model.parameters())
    measured = (evaluate(each, CHECK, EXACT).accuracy for each in (model, exact))
    assert abs(next(measured) - next(measured)) < 0.05


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_one_loop_trains_every_network_on_colour_too(experiment: Experiment) -> None:
    """An epoch on 32 x 32 RGB images ends finite; a last batch smaller than the others is taken."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (24, 32, 32, 3), generator=generator, dtype=torch.uint8)
    colour = Images(images, torch.arange(24) % 10)
    model = build(replace(experiment.architecture, shape=(3, 32, 32)))
    history = train(model, colour, colour, Recipe(epochs=1, batch_size=10, device="cpu"))
    assert np.isfinite([*history.train_loss, *history.val_loss]).all()


def test_batch_norm_learns_its_statistics() -> None:
    """Training moves the running mean, as evaluation needs it."""
    model = build(replace(REGULARIZED.architecture, shape=(1, 12, 12)))
    before = _state(model)
    train(model, TRAIN, CHECK, replace(EXACT, epochs=1))
    moved = [not torch.equal(before[n], v) for n, v in model.state_dict().items() if "mean" in n]
    assert moved
    assert all(moved)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_trains_as_well_and_gives_the_model_back() -> None:
    """On a GPU the easy images are learnt too, and the model returns to where it was."""
    model = build(SMALL)
    history = train(model, TRAIN, CHECK, replace(EXACT, epochs=8, device="cuda", bfloat16=None))
    assert history.val_accuracy[-1] > 0.9
    assert {weights.device.type for weights in model.parameters()} == {"cpu"}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("optimiser", Optimiser)
def test_a_recorded_step_trains_as_the_step_itself(optimiser: Optimiser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replayed on a GPU, with a changing rate, mirrored images, dropout and odd last batches: the same to the bit."""
    regularized = replace(REGULARIZED.architecture, shape=(1, 12, 12))
    recipe = replace(EXACT, device="cuda", optimiser=optimiser, one_cycle=True, flip=True, batch_size=60)
    replayed, stepped = build(regularized), build(regularized)
    monkeypatch.setattr("torch.backends.cudnn.deterministic", True)
    history = train(replayed, TRAIN, CHECK, recipe)
    monkeypatch.setattr("reference.trainer.ReplayedStep", lambda step, *_: step)
    assert train(stepped, TRAIN, CHECK, recipe) == history
    assert all(torch.equal(value, stepped.state_dict()[name]) for name, value in replayed.state_dict().items())


def test_nothing_to_train_on_is_refused() -> None:
    """No images, no epochs, an empty batch: ValueError, never a division by zero."""
    none = Images(TRAIN.images[:0], TRAIN.labels[:0])
    for images, checks, recipe in (
        (none, CHECK, EXACT),
        (TRAIN, none, EXACT),
        (TRAIN, CHECK, replace(EXACT, epochs=0)),
        (TRAIN, CHECK, replace(EXACT, batch_size=0)),
    ):
        with pytest.raises(ValueError, match="Training takes images"):
            train(build(SMALL), images, checks, recipe)
    with pytest.raises(ValueError, match="at least one image"):
        evaluate(build(SMALL), none)
