"""Class activation maps of the rebuilt model, for Task 5: which model is judged, its maps, and their comparison.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, section 2: the map of class c is
Σ_k w_ck f_k(x, y), f the maps before global average pooling, w the last layer's weights.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.engine.errors import EvidenceError
from autograder.engine.outcomes import AbsentError, SettledError, UndecidedError
from autograder.engine.text import say
from autograder.lesson.graders.layer_flow import MAP_AXES, LayerFlow
from autograder.lesson.graders.training import really_trained
from autograder.lesson.measure import MeasuredModel, Measurements
from autograder.lesson.observations import LessonEvidence
from autograder.models.rebuild import StepKind

AGREEMENT = 0.98
FLAT = 1e-6  # relative to the map's own size: what float32 leaves of a constant
LARGEST = 128  # pixels per side that are compared; larger maps are averaged down
RESIZING_METHODS: tuple[dict[str, Any], ...] = (
    {"mode": "nearest"},
    {"mode": "nearest-exact"},
    {"mode": "area"},
    *(
        {"mode": mode} | options
        for mode in ("bilinear", "bicubic")
        for options in ({}, {"align_corners": True}, {"antialias": True})
    ),
)
NEAREST_PIXEL: tuple[Callable[[int, int, int], int], ...] = (
    lambda pixel, length, wanted: (2 * pixel + 1) * length // (2 * wanted),
    lambda pixel, length, wanted: (2 * pixel * (length - 1) + wanted - 1) // max(1, 2 * (wanted - 1)),
)
"""Which pixel of `length` is repeated as one of `wanted`: with Pillow, and with SciPy's `zoom(order=0)`."""


def maps_agree(returned: Tensor, right: Tensor) -> bool:
    """Whether a returned map (h, w) agrees with the right one, up to resizing."""
    return any(reached >= AGREEMENT for reached in _correlations(returned, right))


def best_correlation(returned: Tensor, right: Tensor) -> float:
    """Return the best correlation with the right map, resized in the usual ways, before or after a ReLU."""
    return max(_correlations(returned, right))


def _correlations(returned: Tensor, right: Tensor) -> Iterator[float]:
    h, w = returned.shape
    size = min(h, LARGEST), min(w, LARGEST)
    seen = F.adaptive_avg_pool2d(returned.double()[None], size)[0]
    for way in range(len(RESIZING_METHODS) + len(NEAREST_PIXEL)):
        rows, columns = _resizing(way, right.shape[0], h), _resizing(way, right.shape[1], w)
        for base in (right.double(), right.double().relu()):
            resized = rows @ base @ columns.T
            yield correlation(seen, resized)
            yield correlation(seen, resized.relu())


@lru_cache(maxsize=64)
def _resizing(way: int, length: int, wanted: int) -> Tensor:
    """Return the matrix (seen, length) that resizes one axis, then takes means where that is more than is compared.

    Each way of resizing treats the axes apart and is linear, so that no map is ever made as large as the one returned.
    """
    each = torch.eye(length, dtype=torch.float64)[None, :, :, None].repeat(
        1, 1, 1, 2
    )  # two columns, since a single one cannot be aligned
    if way < len(RESIZING_METHODS):
        resized = F.interpolate(each, (wanted, 2), **RESIZING_METHODS[way])[..., :1]
    else:
        pick = NEAREST_PIXEL[way - len(RESIZING_METHODS)]
        resized = each[:, :, [pick(pixel, length, wanted) for pixel in range(wanted)], :1]
    return F.adaptive_avg_pool2d(resized, (min(wanted, LARGEST), 1))[0, :, :, 0].T


def correlation(a: Tensor, b: Tensor) -> float:
    """Return Pearson's correlation; 1 for two constant maps, 0 for a constant and another."""
    if is_constant(a) or is_constant(b):
        return float(is_constant(a) and is_constant(b))
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / (a.norm() * b.norm()))


def is_constant(a: Tensor) -> bool:
    """Whether all values are equal, but for rounding."""
    return bool((a - a.mean()).norm() <= FLAT * torch.linalg.vector_norm(a))


CELL = "task5_cam_tests"
SOLUTION = "task5_cam"
OWN = "cam"
SMALLEST = 3  # pixels a side: on fewer, any map resembles any other
COPIES = 1e-4  # of the first singular value: where the second is smaller, the maps are copies of one
TOLERANCE = 1e-3  # relative, of what is averaged to what the mean of the maps is
REARRANGING = (
    "aten.view", "aten.reshape", "aten._unsafe_view", "aten.flatten", "aten.permute", "aten.transpose", "aten.movedim",
    "aten.contiguous", "aten.clone", "aten.alias", "aten.detach", "aten.squeeze", "aten.unsqueeze", "aten.to",
    "aten._to_copy", "aten.numpy_T", "aten.t.",
)  # fmt: skip


class UnfitError(Exception):
    """A model has no class activation map; the message says why, as the end of a sentence about the model."""


@dataclass(frozen=True)
class Activations:
    """Maps (B, C, h, w), images (B, channels, H, W) and scores (B, classes) of the first visible images.

    `weights` is (classes, C), of the last layer; all in float64.
    """

    images: Tensor
    maps: Tensor
    scores: Tensor
    weights: Tensor

    def class_maps(self, image: int) -> Tensor:
        """Compute the maps (classes, h, w) of one image."""
        return torch.einsum("ck,khw->chw", self.weights, self.maps[image])

    def predicts(self, image: int, class_index: int) -> bool:
        """Whether the model predicts this class for an image, or ties with it."""
        if not (image < len(self.scores) and 0 <= class_index < self.scores.shape[1]):
            return False
        scores = self.scores[image]
        return bool(scores[class_index] >= scores.max() - TOLERANCE * (1 + scores.abs().max()))


def activations(measured: MeasuredModel) -> Activations:
    """Return what a model's class activation maps are made of; raises `UnfitError` where it has none."""
    images = measured.visible_batch()
    flow = LayerFlow(measured.model, images)
    classifiers = flow.classifiers()
    average = flow.averaging(classifiers[0]) if len(classifiers) == 1 else None
    steps = {step.name: step for step in measured.model.steps}
    source = steps.get(average.inputs[0]) if average else None
    # Averages of one pixel and rearranging steps are skipped; None is the image itself.
    while source is not None and (
        source.kind is StepKind.GLOBAL_POOL or len(source.output_shape) != MAP_AXES or source.op.startswith(REARRANGING)
    ):
        source = steps.get(source.inputs[0]) if source.inputs else None
    if average is None or source is None or not isinstance(linear := classifiers[0].layer, nn.Linear):
        ends_otherwise = say(
            pl="nie kończy się Global Average Poolingiem i jedną warstwą liniową",
            en="does not end in global average pooling and a single linear layer",
        )
        raise UnfitError(ends_otherwise)
    with torch.inference_mode():
        scores, means, maps = (
            value.double() for value in measured.model.values(images, measured.model.output, average.name, source.name)
        )
    _require_several(maps)
    if maps.shape[1] != linear.in_features or not _proportional(means, maps.mean((2, 3))):
        no_means = say(
            pl="nie podaje warstwie liniowej zwykłych średnich map",
            en="does not give its linear layer the plain means of its maps",
        )
        raise UnfitError(no_means)
    return Activations(images.double(), maps, scores, linear.weight.detach().double())


def _require_several(maps: Tensor) -> None:
    """Raise `UnfitError` unless the maps (B, C, h, w) are large enough and have several different channels."""
    _, channels, h, w = maps.shape
    if min(h, w) < SMALLEST:
        too_small = say(
            pl=f"ma przed uśrednianiem mapę {h}×{w}, a potrzebna jest co najmniej {SMALLEST}×{SMALLEST}: dodaj "
            "padding albo usuń ostatni pooling",
            en=f"has a map of {h}×{w} before averaging, and at least {SMALLEST}×{SMALLEST} is needed: add padding or "
            "leave out the last pooling",
        )
        raise UnfitError(too_small)
    if all(is_constant(plane) for plane in maps.flatten(0, 1)):
        constant = say(
            pl="ma przed uśrednianiem mapy, które w każdym miejscu mają tę samą wartość",
            en="has maps before averaging that are the same everywhere",
        )
        raise UnfitError(constant)
    # The channels must not all be scaled, shifted copies of one map.
    rows = (maps - maps.mean((2, 3), keepdim=True)).transpose(0, 1).flatten(1)
    singular = torch.linalg.eigvalsh(rows @ rows.T).clamp(min=0).sqrt()  # values, ascending
    if not (len(singular) > 1 and singular[-2] > COPIES * singular[-1]):  # nor with NaN
        copies = say(
            pl=f"ma przed uśrednianiem tylko jedną mapę (kanałów: {channels}) albo jej kopie, a potrzeba kilku różnych",
            en=f"has only one map before averaging (channels: {channels}), or copies of it; several are needed",
        )
        raise UnfitError(copies)


def _proportional(given: Tensor, means: Tensor) -> bool:
    """Whether what the average gives is the means (B, C) times one positive number (a sum is)."""
    if given.numel() != means.numel():
        return False
    given = given.reshape(means.shape)
    factor = (given * means).sum() / means.square().sum().clamp(min=1e-30)
    return bool(factor > 0 and (given - factor * means).norm() <= TOLERANCE * given.norm())


@dataclass(frozen=True)
class Judged:
    """The model whose maps are judged."""

    name: str
    right: Activations


def judged_model(evidence: LessonEvidence, measured: Measurements) -> Judged:
    """Return the model whose maps are judged.

    It is `models["cam"]` where there is one, else the first of Task 3's and Task 4's models, in the order of `models`,
    that fits: it is really trained (as Task 4 asks), ends in global average pooling and a single linear layer, and what
    is averaged are maps of at least 3×3 pixels, of several channels that are not copies of one. A `models["cam"]` that
    does not fit fails with its reason; of the others, those that do not fit are passed over.
    """
    names = list(dict.fromkeys(record.model for record in evidence.maps(CELL)))
    unmeasured: list[UndecidedError] = []
    untrained: list[AssertionError] = []
    unfit: list[str] = []
    for name in [OWN] if OWN in names else names:
        try:
            model = measured.model(name, SOLUTION)
            right = activations(model)
            really_trained(measured, name, SOLUTION)
        except UnfitError as reason:
            unfit.append(f'models["{name}"] {reason}')
        except AssertionError as reason:
            untrained.append(reason)
        except UndecidedError as reason:
            unmeasured.append(reason)
        except (AbsentError, EvidenceError) as reason:
            if name == OWN:
                raise
            unfit.append(str(reason))
        else:
            return Judged(name, right)
    raise _refusal(unmeasured, untrained, unfit)


def _refusal(unmeasured: list[UndecidedError], untrained: list[AssertionError], unfit: list[str]) -> Exception:
    """Return why no model's maps can be judged; open on less than all data only if more training may help."""
    if unmeasured:
        more_data = any(not isinstance(error, SettledError) for error in untrained)
        return UndecidedError(str(unmeasured[0]), more_data=more_data or any(error.more_data for error in unmeasured))
    if untrained:
        reason = min(untrained, key=lambda error: isinstance(error, SettledError))
        return type(reason)(
            say(
                pl=f"CAM ma sens tylko dla wytrenowanej sieci. {reason}",
                en=f"Only a trained network has a CAM. {reason}",
            )
        )
    reasons = "; ".join(reason for reason in unfit if reason.startswith("models["))
    return SettledError(
        say(
            pl="Żadna sieć nie nadaje się do CAM: potrzebne są wytrenowana sieć z Global Average Poolingiem i jedną warstwą "
            f"liniową oraz mapy co najmniej {SMALLEST}×{SMALLEST} o kilku kanałach. {reasons or 'models: brak'}. "
            'Możesz dodać taką sieć jako models["cam"].',
            en="No network has a CAM: it takes a trained network with global average pooling and a single linear layer, and "
            f"maps of at least {SMALLEST}×{SMALLEST}, of several channels. {reasons or 'models: none'}. "
            'You may add one as models["cam"].',
        )
    )
