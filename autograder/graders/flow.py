"""Walk a lifted model's data flow: what a grader asks of an architecture, asked of what it computes."""

from collections.abc import Callable, Iterator
from math import prod

from autograder.lift import LiftedModel, Step, StepKind

# Elementwise nonlinearities that are written as plain arithmetic rather than as a layer.
NONLINEAR = ("aten.clamp", "aten.clamp_min", "aten.maximum", "aten.threshold", "aten.where", "aten.exp", "aten.abs")


class Flow:
    """The steps of a model that its output depends on, walked backwards."""

    def __init__(self, model: LiftedModel) -> None:
        self.model = model
        self.steps = model.steps
        self.by_name = {step.name: step for step in model.steps}

    def of(self, *kinds: StepKind) -> list[Step]:
        """Return the steps of these kinds, in order."""
        return [step for step in self.steps if step.kind in kinds]

    def activations(self) -> list[Step]:
        """Return the steps that apply an elementwise nonlinearity."""
        return [s for s in self.steps if s.kind is StepKind.ACTIVATION or s.op.startswith(NONLINEAR)]

    def behind(self, step: Step, *, stop: Callable[[Step], bool] = lambda _: False) -> Iterator[Step]:
        """Yield the steps that `step` reads, directly or not; what lies behind one that stops is not followed."""
        waiting, seen = list(step.inputs), set[str]()
        while waiting:
            name = waiting.pop()
            if name in seen or name not in self.by_name:
                continue
            seen.add(name)
            inner = self.by_name[name]
            yield inner
            if not stop(inner):
                waiting += inner.inputs

    def groups(self) -> int:
        """Count groups of convolutions, each ended by an activation."""
        activations = self.activations()
        ends = {*(step.name for step in activations), *(step.name for step in self.of(StepKind.LINEAR))}
        return sum(
            any(inner.kind is StepKind.CONV for inner in self.behind(step, stop=lambda s: s.name in ends))
            for step in activations
        )

    def bare_convolutions(self) -> int:
        """Count convolutions that no activation follows anywhere on the way to the output."""
        covered = {inner.name for step in self.activations() for inner in self.behind(step)}
        return sum(step.name not in covered for step in self.of(StepKind.CONV))

    def classifiers(self) -> list[Step]:
        """Return the linear layers that read a spatial map, flattened or not."""
        return [
            step for step in self.of(StepKind.LINEAR) if any(inner.kind is StepKind.CONV for inner in self.behind(step))
        ]

    def averaged(self, step: Step) -> bool:
        """Whether a global pooling stands between the last convolutions and `step`."""
        return any(
            inner.kind is StepKind.GLOBAL_POOL for inner in self.behind(step, stop=lambda s: s.kind is StepKind.CONV)
        )

    def flattened(self, step: Step) -> Step | None:
        """Return the spatial map (B, C, H, W) that reaches `step` flattened, if one does."""
        for inner in self.behind(step, stop=lambda s: len(s.output_shape) == 4):
            if len(inner.output_shape) == 4:
                return inner
        return None


def spatial(step: Step) -> tuple[int, int, int]:
    """Return (C, H, W) of a map."""
    _, c, h, w = step.output_shape
    return c, h, w


def width(step: Step) -> int:
    """Return how many features the flattened map has."""
    return prod(spatial(step))
