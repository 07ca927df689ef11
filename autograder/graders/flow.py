"""Walk a lifted model's data flow: what a grader asks of an architecture, asked of what it computes."""

from collections.abc import Callable, Iterator
from math import prod

from autograder.graders.ablation import unused
from autograder.lift import LiftedModel, Step, StepKind

# Elementwise nonlinearities that are written as plain arithmetic rather than as a layer.
NONLINEAR = ("aten.clamp", "aten.clamp_min", "aten.maximum", "aten.threshold", "aten.where", "aten.exp", "aten.abs")
# How a mean over height and width may be written besides a pooling layer.
AVERAGING = ("aten.mean", "aten.sum", "aten.einsum", "aten.avg_pool1d", "aten.adaptive_avg_pool1d")


class Flow:
    """The steps of a model that its output depends on, in deed and not by name only, walked backwards."""

    def __init__(self, model: LiftedModel) -> None:
        self.model = model
        idle = unused(model)
        self.steps = tuple(step for step in model.steps if step.name not in idle)
        self.by_name = {step.name: step for step in self.steps}

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

    def classifiers(self) -> list[Step]:
        """Return the linear layers that read a spatial map, flattened or not, and that no convolution follows."""
        inside = {inner.name for conv in self.of(StepKind.CONV) for inner in self.behind(conv)}
        return [step for step in self.after_convolutions(StepKind.LINEAR) if step.name not in inside]

    def after_convolutions(self, kind: StepKind) -> list[Step]:
        """Return the steps of this kind that read what a convolution gave."""
        return [step for step in self.of(kind) if any(inner.kind is StepKind.CONV for inner in self.behind(step))]

    def averaged(self, step: Step) -> bool:
        """Whether a map is averaged over its height and width just before it reaches `step`."""
        return self.averaging(step) is not None

    def averaging(self, step: Step) -> Step | None:
        """Return the step that averages the map over height and width before `step` reads it, if one does."""
        return next((inner for inner in self.behind(step, stop=_is_map) if self._averages(inner)), None)

    def mapped(self, average: Step) -> Step | None:
        """Return the step whose map (B, C, H, W) `average` reads; None where that is the image itself."""
        if average.kind is StepKind.GLOBAL_POOL:
            return self.by_name.get(average.inputs[0])
        maps = (inner for inner in self.behind(average) if inner.kind is not StepKind.OTHER)
        return next((inner for inner in maps if len(inner.output_shape) == 4), None)

    def _averages(self, step: Step) -> bool:
        """Whether a step leaves a number a channel, the sum or mean over the pixels, whichever way it is written."""
        if step.kind is StepKind.GLOBAL_POOL:
            return True
        source = self.mapped(step) if step.layer is None and step.op.startswith(AVERAGING) else None
        shape = step.output_shape[1:]
        return source is not None and shape[:1] == spatial(source)[:1] and prod(shape) == shape[0]

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


def _is_map(step: Step) -> bool:
    """Whether a step ends what stands between a linear layer and the map it reads."""
    return step.kind is StepKind.CONV or (len(step.output_shape) == 4 and prod(spatial(step)[1:]) > 1)
