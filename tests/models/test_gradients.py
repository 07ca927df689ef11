"""Gradient steps counted at the autograd engine: every honest way to train is seen, and nothing else is taken for one."""

import copy
import gc
import io
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from autograder.engine.inside import after_import
from autograder.lesson.measure import REQUIRED
from autograder.lesson.recorders import _watch_gradients
from autograder.lesson.recorders.networks import CLAIMING, _steps
from autograder.models.capture.gradients import StepCounter, StepCounts, count_steps, step_counter
from tests.models.training import STEPS, X, Y, net, train


@pytest.fixture
def steps() -> StepCounter:
    """A record of its own for each test."""
    return count_steps()


def by_grad() -> nn.Module:
    """SGD by hand, by `torch.autograd.grad`."""
    model = net()
    for _ in range(STEPS):
        gradients = torch.autograd.grad(F.cross_entropy(model(X), Y), list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter.sub_(0.1 * gradient)
    return model


def functional() -> nn.Module:
    """`torch.func.grad` over parameters that are new tensors after each step, loaded at the end."""
    model = net()
    parameters = {name: value.detach() for name, value in model.named_parameters()}

    def loss(values: dict[str, Tensor]) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(model, values, (X,)), Y)

    for _ in range(STEPS):
        gradients = torch.func.grad(loss)(parameters)
        parameters = {name: value - 0.1 * gradients[name] for name, value in parameters.items()}
    model.load_state_dict(parameters)
    return model


def lbfgs() -> nn.Module:
    """Two epochs of all images at once; the optimiser asks for more passes itself."""
    model = net()
    optimizer = torch.optim.LBFGS(model.parameters())

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X), Y)
        loss.backward()
        return float(loss)

    for _ in range(2):
        optimizer.step(closure)
    return model


def head_only() -> nn.Module:
    """Frozen convolutions."""
    model = net()
    for parameter in model[0].parameters():
        parameter.requires_grad = False
    return train(model)


def checkpointed() -> nn.Module:
    """Checkpoints, in which a backward pass holds another."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    for _ in range(STEPS):
        optimizer.zero_grad()
        features = checkpoint(model[:3], X.clone().requires_grad_(), use_reentrant=True)
        F.cross_entropy(model[3](features), Y).backward()
        optimizer.step()
    return model


def lazy() -> nn.Module:
    """Layers that get their weights from the first batch."""
    return train(nn.Sequential(nn.LazyConv2d(3, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(10)))


def normed() -> nn.Module:
    """Weights that are computed from others."""
    model = net()
    model[3] = parametrizations.weight_norm(model[3])
    return train(model)


def step_in_backward() -> nn.Module:
    """Each weight is updated, and its gradient freed, while the pass is still going on."""
    model = net()

    def update(parameter: Tensor) -> None:
        parameter.data -= 0.1 * parameter.grad  # type: ignore[operator]
        parameter.grad = None

    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(update)
    for _ in range(STEPS):
        F.cross_entropy(model(X), Y).backward()
    return model


def in_a_thread() -> nn.Module:
    """Training in a thread."""
    model = net()
    thread = threading.Thread(target=train, args=(model,))
    thread.start()
    thread.join()
    return model


def scripted() -> nn.Module:
    """A model that was written down as TorchScript."""
    return train(torch.jit.trace(net(), X))


OWN: dict[str, Callable[[], nn.Module]] = {
    "the sheet's loop": lambda: train(net()),
    "gradients set to zero": lambda: train(net(), set_to_none=False),
    "autograd.grad": by_grad,
    "LBFGS": lbfgs,
    "only the head": head_only,
    "checkpointing": checkpointed,
    "lazy layers": lazy,
    "weight norm": normed,
    "updated during the pass": step_in_backward,
    "a thread": in_a_thread,
    "TorchScript": scripted,
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("way", OWN)
def test_every_way_to_train_is_seen(way: str, steps: StepCounter) -> None:
    """The passes that reached the model's own parameters are counted, whoever called."""
    seen = steps.seen(OWN[way]())
    assert seen.steps >= STEPS
    assert not seen.copied


def reloaded(model: nn.Module) -> nn.Module:
    """Saved to a file and loaded into a new model."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other = copy.deepcopy(model)
    other.load_state_dict(torch.load(file), assign=True)
    return other


def averaged(model: nn.Module) -> nn.Module:
    """A moving average of the weights."""
    average = torch.optim.swa_utils.AveragedModel(model)
    average.update_parameters(model)
    return average


COPIES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "a deep copy of the best epoch": copy.deepcopy,
    "loaded from a file": reloaded,
    "a moving average": averaged,
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_what_was_trained_is_trained(kind: str, steps: StepCounter) -> None:
    """Steps count for a copy, also when the network that was trained is gone."""
    trained = train(net())
    copied = COPIES[kind](trained)
    assert steps.seen(copied) == StepCounts(STEPS, copied=True, reached=0.0, unclaimed=0)
    del trained
    gc.collect()
    assert steps.seen(copied).steps == STEPS


def test_parameters_made_anew_in_each_step_are_told_by_shape(steps: StepCounter) -> None:
    """`torch.func` with new tensors in each step: as many passes as steps, all of them a copy's."""
    assert steps.seen(functional()) == StepCounts(STEPS, copied=True, reached=0.0, unclaimed=0)


def test_a_copy_of_another_model_that_is_kept_has_no_steps_of_its_own(steps: StepCounter) -> None:
    """What reached one of `models` counts for that one only."""
    first = train(net())
    assert steps.seen(copy.deepcopy(first), [first]).steps == 0
    assert steps.seen(train(copy.deepcopy(first)), [first]) == StepCounts(STEPS, copied=False, reached=1.0, unclaimed=0)


WARM: dict[str, Callable[[nn.Module], nn.Module]] = {
    "a deep copy": copy.deepcopy,
    "loaded from a file": reloaded,
    "its layers moved into another": lambda model: nn.Sequential(*list(model.children())[:3], nn.Linear(64, 10)),
    "the same network, trained on": lambda model: model,
}


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("kind", WARM)
def test_who_begins_from_a_trained_network_is_told(kind: str, gone: bool, steps: StepCounter) -> None:
    """Also where the first network no longer exists, once it has been looked at."""
    first = train(net(4))
    assert steps.seen(first, name="gap").inherited == 0
    second = WARM[kind](first)
    if gone:
        del first
        gc.collect()
    share = steps.seen(train(second), name="deep").inherited
    assert (0.01 < share < 0.1) if "moved" in kind else share > 0.9


def test_a_copy_taken_before_the_network_is_trained_on(steps: StepCounter) -> None:
    """`models["gap"]` is a copy; what it was copied from goes on as `models["deep"]`, itself or in a copy again."""
    model = train(net())
    assert steps.seen(copy.deepcopy(model), name="gap").inherited == 0
    train(model)
    assert steps.seen(copy.deepcopy(model), name="deep").inherited > 0.9
    assert steps.seen(model, name="deep").inherited > 0.9


def test_networks_that_begin_alike_are_no_warm_start(steps: StepCounter) -> None:
    """One seed for each of them, trained in turn or side by side, layers thawed by and by, or looked at twice."""
    nets = []
    for _ in range(3):
        torch.manual_seed(0)
        nets.append(net())
    for model in nets[:2]:
        F.cross_entropy(model(X), Y).backward()
    for model in nets:
        train(model)
    thawed = net()
    thawed[0].requires_grad_(requires_grad=False)
    train(thawed)
    assert steps.seen(thawed, name="thawed").inherited == 0
    train(thawed[0].requires_grad_() and thawed)
    for name, model in zip("abc", nets, strict=True):
        assert steps.seen(model, name=name).inherited == 0
    assert steps.seen(train(thawed), name="thawed").inherited == 0


@pytest.mark.parametrize("name", ["gap", "cam"])
def test_the_best_epochs_copy_has_the_steps_of_a_network_kept_under_a_name_of_ones_own(
    name: str, steps: StepCounter
) -> None:
    """Only the assignment's models keep their steps for themselves: the last epoch's network beside the best is not one."""
    last = train(net())
    models = {name: copy.deepcopy(last), "last_epoch": last}
    assert _steps({"models": models}, name, models[name])["gradients"]["steps"] == STEPS
    assert steps.seen(models[name], [last]).steps == 0
    assert CLAIMING == REQUIRED


NOTHING: dict[str, Callable[[nn.Module], object]] = {
    "no pass": lambda model: model(X),
    "passes without a gradient": lambda model: [(model(X).sum() * 0).backward() for _ in range(STEPS)],
    "gradients of the image": lambda model: [
        torch.autograd.grad(model(x).sum(), x) for x in X.clone().requires_grad_().split(1)
    ],
    "another, larger network": lambda _: train(net(9), steps=2),
    "a small function": lambda _: [torch.ones(3, requires_grad=True).sum().backward() for _ in range(STEPS)],
}


@pytest.mark.parametrize("what", NOTHING)
def test_what_trains_nothing_is_no_step(what: str, steps: StepCounter) -> None:
    """Zero gradients, gradients of something else, another network's: none of them is a step of this one."""
    model = net()
    NOTHING[what](model)
    assert steps.seen(model).steps == 0


def test_the_share_of_parameters_that_were_reached(steps: StepCounter) -> None:
    """Frozen layers are told: two of four tensors."""
    assert steps.seen(head_only()).reached == 0.5


FORKED = """
import multiprocessing
from autograder.models.capture.gradients import count_steps
from tests.models.training import net, train
steps, model = count_steps(), net()
process = multiprocessing.get_context("fork").Process(target=train, args=(model,))
process.start()
process.join()
print(steps.seen(model))
"""


def test_training_in_a_process_of_its_own_is_not_made_nothing() -> None:
    """What a forked process did is unknown here, but that it did is not: a person decides.

    In a fresh interpreter: where autograd has already run with threads, torch refuses to train in a fork.
    """
    run = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(StepCounts(0, copied=False, reached=0.0, unclaimed=STEPS)), run.stderr


def test_nothing_is_kept_alive(steps: StepCounter) -> None:
    """A network that the notebook drops is freed, whatever was noted of it."""
    model = net()
    train(model)
    weight = weakref.ref(model[0].weight)
    assert steps.seen(model).steps == STEPS
    del model
    gc.collect()
    assert weight() is None


def test_a_thousand_networks_take_little(steps: StepCounter) -> None:
    """What is remembered has a bound: a notebook that makes networks without end fills no memory."""
    for width in range(1, 1201):
        steps.note([torch.ones(width, 2)], [torch.ones(1)])
    assert len(steps._groups) <= 1000
    assert len(steps._gone) <= 1000


def test_a_pass_that_fails_raises_as_without_us(steps: StepCounter) -> None:
    """The student's error is the student's: the same type, and no step is counted."""
    loss = F.cross_entropy(net()(X), Y)
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.ones(1).backward()
    assert step_counter() is steps


def test_the_notebooks_own_import_of_torch_starts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The finder calls after the import, once, and is gone."""
    called = []
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    after_import("this", lambda module: called.append(module.__name__))
    finder = sys.meta_path[0]
    monkeypatch.delitem(sys.modules, "this", raising=False)
    __import__("this")
    assert called == ["this"]
    assert finder not in sys.meta_path
    _watch_gradients(torch)
    assert step_counter() is not None


FRESH = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from autograder.engine.inside.bootstrap import KERNEL_PROBE, prepare

shell = InteractiveShell.instance()
prepare(shell, "/nowhere", "/nowhere", "lesson.recorders")
assert "torch" not in sys.modules
shell.run_cell("import torch\\nw = torch.ones(2, 3, requires_grad=True)\\nfor _ in range(7): (w * w).sum().backward()")
from autograder.lesson.measure import REQUIRED
from autograder.models.capture.gradients import step_counter
from autograder.lesson.recorders.networks import CLAIMING, _steps
print([(dict(group.shapes), group.steps) for group in step_counter()._groups.values()])
"""


def test_a_fresh_kernel_watches_from_its_first_import_of_torch() -> None:
    """Prepared as a kernel is, in a process of its own: torch is not imported for it, and every pass is seen."""
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("[({(2, 3): 1}, 7)]"), done.stderr
