"""Tests whether a model's scores depend on given layers, by adding noise to them or zeroing them.

A layer between input and output in the graph may still have no effect, for example if multiplied by zero.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.models.rebuild import Compute, RebuiltModel, Step, in_place

SEED = 5
NOISE_SCALE = 3.0  # noise, in units of the step's largest output
MIN_EFFECT = 1e-3  # of the scores' standard deviation over images
MOST = 100  # runs with noise per model: a chain of layers takes one, each branch of a network one more


def run(model: RebuiltModel, images: Tensor, compute: Compute = Step.__call__) -> Tensor:
    """Return the scores (B, n) float64, each step's value as `compute` gives it; what is not finite counts as zero.

    Dropout uses the same random mask each time.
    """
    with torch.inference_mode(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # torch.manual_seed looks for other devices too, in a millisecond
        scores = model.run(images, compute)
    return scores.double().nan_to_num(0, 0, 0).reshape(len(images), -1)


def dependence(model: RebuiltModel, steps: Sequence[Step], images: Tensor) -> float:
    """Return the fraction, 0…1, of the scores' variance over images that is lost when the steps give zeros.

    1 if the scores depend on them alone, 0 if they have no influence. A model whose scores are the same
    for every image counts as 1.
    """
    layers = {id(step.layer) for step in steps if step.layer is not None}
    silenced = {step.name for step in model.steps if id(step.layer) in layers}

    def compute(call: Step, values: Mapping[str, Any]) -> Any:
        output = call(values)
        return torch.zeros_like(output) if call.name in silenced else output

    whole, left = _spread(run(model, images)), _spread(run(model, images, compute))
    return 1.0 if whole <= 0 else max(0.0, 1.0 - left / whole)


class UsedStepSearch:
    """Finds the steps of a model that its scores depend on.

    Noise is added to a step's output. If that changes the scores, the step is used, and so is every step that its
    value must pass through on each way to the output; so a chain of layers takes one run of the model, however long.
    The remaining steps are tested in groups: if noise in a group changes nothing, the whole group is unused.
    """

    def __init__(self, model: RebuiltModel, images: Tensor, scores: Tensor) -> None:
        self._model, self._images, self._scores = model, images, scores
        self._level = MIN_EFFECT * _spread(scores) ** 0.5
        self._position = {step.name: index for index, step in enumerate(model.steps)}
        self._passed = _passed_by_all(model, self._position)
        self._used = 0  # a bit for each step
        self._runs = 0
        self.unused: set[str] = set()
        self.open: set[str] = set()  # steps left when `MOST` runs were spent

    def among(self, names: Sequence[str]) -> "UsedStepSearch":
        """Test these steps, in the model's order; all count as used if the scores are the same for all images."""
        groups = [list(names)] if self._level > 0 else []
        while groups:
            group = [n for n in groups.pop() if n not in self.unused and not self._used >> self._position[n] & 1]
            first, rest = group[:1], group[1:]
            if self._runs >= MOST:
                self.open.update(group)
            elif first and self._noise_changes_scores(first):
                self._used |= self._passed[self._position[group[0]]]
                groups.append(rest)
            else:
                self.unused.update(first)
                if rest and self._noise_changes_scores(rest):
                    middle = len(rest) // 2
                    groups += [rest[middle:], rest[:middle]]
                else:
                    self.unused.update(rest)
        return self

    def _noise_changes_scores(self, names: Sequence[str]) -> bool:
        """Whether noise in these steps' outputs, other noise in each, changes the scores of some image."""
        self._runs += 1
        wanted = set(names)

        def compute(call: Step, values: Mapping[str, Any]) -> Any:
            output = call(values)
            if call.name not in wanted:
                return output
            generator = torch.Generator().manual_seed(SEED + self._position[call.name])
            noise = torch.randn(output.shape, generator=generator).to(output.dtype)
            loud = output + NOISE_SCALE * (output.abs().max() + 1) * noise
            return output.copy_(loud) if in_place(call.op) else loud

        return bool((run(self._model, self._images, compute) - self._scores).abs().max() >= self._level)


def _passed_by_all(model: RebuiltModel, position: Mapping[str, int]) -> list[int]:
    """Return for each step, as bits, itself and the steps that every way from it to the output passes through.

    A step that changes memory in place implies only itself, since its readers are not all known by name.
    """
    passed = [0] * len(position)
    ahead: list[int | None] = [None] * len(position)
    for index in reversed(range(len(position))):
        step = model.steps[index]
        passed[index] = 1 << index | (0 if in_place(step.op) else ahead[index] or 0)
        for source in (position[name] for name in step.inputs if name in position):
            known = ahead[source]
            ahead[source] = passed[index] if known is None else known & passed[index]
    return passed


def _spread(scores: Tensor) -> float:
    """Return the variance over the images of a batch, summed over classes."""
    return float(scores.var(0).sum())
