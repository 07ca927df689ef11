"""Whether a model's answer rests on some of its layers: disturb or silence them and see what becomes of it.

A layer that is on the way from input to output by name may still be worth nothing, its result multiplied by zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from autograder.models.rebuild import Compute, RebuiltModel, Step, in_place

SEED = 5
LOUD = 3.0  # noise, in units of the step's largest output
HEARD = 1e-3  # of the scores' standard deviation over images
MOST = 100  # disturbed runs of one model: a chain of layers takes one, each branch of a network one more


def dependence(model: RebuiltModel, steps: Sequence[Step], images: Tensor) -> float:
    """Return which part of the outputs' variance over images, 0…1, is gone when the steps' layers give zeros.

    1 where the model's answer comes through them alone, 0 where it does not need them. A model whose answer is the same
    for every image depends on them fully, as far as anybody can tell.
    """
    whole = _spread(scores_of(model, images))
    with _silenced([step.layer for step in steps if step.layer is not None]):
        left = _spread(scores_of(model, images))
    return 1.0 if whole <= 0 else max(0.0, 1.0 - left / whole)


class Search:
    """Sort a model's steps into those that its scores rest on and those that can give anything.

    A step is disturbed by loud noise. If that changes the scores, the step is used, and so is every step that its
    value must pass through on each way to the output; so a chain of layers takes one run of the model, however long.
    What is left is disturbed in groups: a group that changes nothing is unused as a whole.
    """

    def __init__(self, model: RebuiltModel, images: Tensor, scores: Tensor) -> None:
        self._model, self._images, self._scores = model, images, scores
        self._level = HEARD * _spread(scores) ** 0.5
        self._position = {step.name: index for index, step in enumerate(model.steps)}
        self._passed = _passed_by_all(model)
        self._used = 0  # a bit for each step
        self._runs = 0
        self.unused: set[str] = set()
        self.open: set[str] = set()  # steps left when `MOST` runs were spent

    def among(self, names: Sequence[str]) -> "Search":
        """Look at these steps, in the model's order; all count as used where the scores are the same for all images."""
        groups = [list(names)] if self._level > 0 else []
        while groups:
            group = [name for name in groups.pop() if not self._known(name)]
            if not group:
                continue
            if self._runs >= MOST:
                self.open.update(group)
            elif self._hears(group[:1]):
                self._used |= self._passed[self._position[group[0]]]
                groups.append(group[1:])
            else:
                self.unused.add(group[0])
                groups += self._halves(group[1:])
        return self

    def _halves(self, group: list[str]) -> list[list[str]]:
        """Split what has not been disturbed alone; nothing is left of a group that changes nothing together."""
        if group and not self._hears(group):
            self.unused.update(group)
            return []
        middle = len(group) // 2
        return [group[middle:], group[:middle]]

    def _known(self, name: str) -> bool:
        return name in self.unused or bool(self._used >> self._position[name] & 1)

    def _hears(self, names: Sequence[str]) -> bool:
        """Whether noise in these steps' outputs, other noise in each, changes the scores of some image."""
        self._runs += 1
        wanted = set(names)

        def compute(call: Step, values: Mapping[str, Any]) -> Any:
            output = call(values)
            if call.name not in wanted:
                return output
            loud = _disturbed(output, SEED + self._position[call.name])
            return output.copy_(loud) if in_place(call.op) else loud

        return bool((run(self._model, self._images, compute) - self._scores).abs().max() >= self._level)


def scores_of(model: RebuiltModel, images: Tensor) -> Tensor:
    """Return the scores (B, n) float64; what is not finite counts nothing. Dropout falls the same way each time."""
    return run(model, images, lambda call, values: call(values))


def run(model: RebuiltModel, images: Tensor, compute: Compute) -> Tensor:
    """Return the scores as `scores_of` does, each step's value as `compute` gives it."""
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        scores = model.run(images, compute)
    return scores.double().nan_to_num(0, 0, 0).reshape(len(images), -1)


def _passed_by_all(model: RebuiltModel) -> list[int]:
    """Return for each step, as bits, itself and the steps that every way from it to the output passes through.

    Where a step changes memory in place, its readers are not all known by name: it vouches for itself alone.
    """
    position = {step.name: index for index, step in enumerate(model.steps)}
    passed = [0] * len(position)
    ahead: list[int | None] = [None] * len(position)
    for index in reversed(range(len(position))):
        step = model.steps[index]
        passed[index] = 1 << index | (0 if in_place(step.op) else ahead[index] or 0)
        for source in (position[name] for name in step.inputs if name in position):
            known = ahead[source]
            ahead[source] = passed[index] if known is None else known & passed[index]
    return passed


def _disturbed(output: Tensor, seed: int) -> Tensor:
    """Add noise, the same each time."""
    noise = torch.randn(output.shape, generator=torch.Generator().manual_seed(seed)).to(output.dtype)
    return output + LOUD * (output.abs().max() + 1) * noise


def _spread(scores: Tensor) -> float:
    """Return the variance over the images of a batch, summed over classes."""
    return float(scores.var(0).sum())


@contextmanager
def _silenced(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Let these layers give zeros while the block runs."""
    distinct = {id(layer): layer for layer in layers}.values()
    hooks = [layer.register_forward_hook(lambda _m, _i, output: torch.zeros_like(output)) for layer in distinct]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
