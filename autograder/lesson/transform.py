"""Recovers the student's image transform from examples, as the grader's own code, and applies it to images.

No student code ever touches held-out images. The probe sent random images through `testset`; from the pairs the judge
finds a map that reproduces them: a chain of declared geometric steps (Resize, Pad, CenterCrop, Grayscale) or none, then
an affine map per channel.

Which images are held out is public, so a network may have been trained on them elsewhere and know each by heart:
`change` alters them a little, so that nobody can foresee how. A network that learnt the classes bears the change, as far
as `splot calibrate` measured; one that learnt the images loses more accuracy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from autograder.engine.text import printable, say
from autograder.lesson.observations import DataRecord, TransformStep
from autograder.models.rebuild import RebuiltModel, predict
from reference.data import Images

TOLERANCE = {"float16": 1e-3}  # half precision keeps eleven bits
DEFAULT_TOLERANCE = 1e-4
MAX_SIDE = 256
MAX_CHANNELS = 16
CHUNK = 500
KEPT_BYTES = 256_000_000
SHIFT = 1  # pixel, at most, up or down and to a side
CONTRAST = (0.7, 1.3)
NOISE = 10.0  # standard deviation at most, in levels of 0…255
CHANGED_IMAGES = 2_000
GEOMETRIC = ("Resize", "Pad", "CenterCrop", "Grayscale")
DTYPES = {np.dtype(name): getattr(torch, name) for name in ("uint8", "int64", "float16", "float32", "float64")}


class UnknownTransformError(Exception):
    """No transform that the judge supports reproduces the student's."""


class Stage(StrEnum):
    """The image's type when the geometric steps are applied; rounding differs between them."""

    PIL = "PIL"
    FLOATS = "floats"
    BYTES = "bytes"
    BYTES_V2 = "bytes, transforms.v2"


@dataclass(frozen=True)
class Geometry:
    """Declared geometric steps, and what they are applied to."""

    steps: tuple[TransformStep, ...] = ()
    stage: Stage = Stage.FLOATS


@dataclass(frozen=True)
class ImageTransform:
    """Our copy of the student's transform: geometry on the raw image, then `scale · pixel / 255 + shift` per channel."""

    geometry: Geometry
    scale: Tensor
    shift: Tensor
    dtype: torch.dtype

    def __call__(self, images: Tensor) -> Tensor:
        """Map uint8 images (N, H, W) or (N, H, W, 3) to what the student's models take, (N, C, H', W')."""
        pixels = _pixels(images, self.geometry)
        scale, shift = self.scale.to(pixels.dtype), self.shift.to(pixels.dtype)
        mapped = pixels * scale[:, None, None] + shift[:, None, None]
        return (mapped if self.dtype.is_floating_point else mapped.round()).to(self.dtype)


def recover(record: DataRecord, raw: Tensor, seen: NDArray[Any]) -> ImageTransform:
    """Find the map from `raw`, uint8 (N, H, W) or (N, H, W, 3), to `seen`, (N, C, H', W').

    Raises `UnknownTransformError`, whatever the record and `seen` hold.
    """
    if not record.repeatable:
        raise UnknownTransformError(say(pl="jest losowa", en="it is random"))
    sized = (
        seen.ndim == 4 and 1 <= seen.shape[1] <= MAX_CHANNELS and all(1 <= side <= MAX_SIDE for side in seen.shape[2:])
    )
    if not sized or len(seen) != len(raw) or seen.dtype not in DTYPES:
        raise UnknownTransformError(
            say(
                pl=f"daje obrazy typu {seen.dtype} o kształcie {seen.shape[1:]}",
                en=f"images come out as {seen.dtype} of shape {seen.shape[1:]}",
            )
        )
    target = torch.from_numpy(seen.astype(np.float64))
    tolerance = TOLERANCE.get(seen.dtype.name, DEFAULT_TOLERANCE)
    declared = tuple(step for step in record.steps if step.type in GEOMETRIC)
    why = say(pl="nie składa się ze znanych kroków", en="its steps are not among those the judge knows")
    for geometry in (Geometry(), *(Geometry(declared, stage) for stage in Stage if declared)):
        try:
            found = _fit(raw, target, geometry, tolerance)
        except UnknownTransformError as error:
            why = str(error)
            continue
        if found is not None:
            return ImageTransform(geometry, *found, DTYPES[seen.dtype])
    raise UnknownTransformError(why)


def _fit(raw: Tensor, target: Tensor, geometry: Geometry, tolerance: float) -> tuple[Tensor, Tensor] | None:
    """Least squares per channel; None unless the map reproduces every pixel."""
    for images in (raw[:1], raw):  # one first: what does not fit costs one image's time and memory
        pixels = _pixels(images, geometry).double()
        if pixels.shape[2:] != target.shape[2:] or pixels.shape[1] not in {1, target.shape[1]}:
            return None
    pixels = pixels.expand(-1, target.shape[1], -1, -1)
    mean_x, mean_y = pixels.mean((0, 2, 3)), target.mean((0, 2, 3))
    dx, dy = pixels - mean_x[:, None, None], target - mean_y[:, None, None]
    scale = (dx * dy).sum((0, 2, 3)) / (dx * dx).sum((0, 2, 3))
    shift = mean_y - scale * mean_x
    error = (pixels * scale[:, None, None] + shift[:, None, None] - target).abs().max()
    return (scale, shift) if bool(error <= tolerance * (1 + target.abs().max())) else None


def _pixels(images: Tensor, geometry: Geometry) -> Tensor:
    """Return (N, C, H, W) in [0, 1], each raw image taken through the declared geometry on the way."""
    steps = [_build(step, geometry.stage) for step in geometry.steps]
    if steps and geometry.stage is Stage.PIL:
        drawn = [np.array(_apply(steps, Image.fromarray(image))) for image in images.numpy()]
        images, steps = torch.from_numpy(np.stack(drawn)), []
    stacked = images[:, None] if images.ndim == 3 else images.permute(0, 3, 1, 2)
    floats = geometry.stage is Stage.FLOATS
    pixels: Tensor = _apply(steps, stacked.float() / 255 if floats else stacked)
    return pixels if floats else pixels.float() / 255


def _apply(steps: list[Callable[[Any], Any]], image: Any) -> Any:
    """Apply the steps one by one, within the size that any image may have on the way."""
    for step in steps:
        try:
            image = step(image)
        except Exception as error:  # torchvision and PIL raise whatever strange parameters make them trip over
            kind = type(error).__name__
            raise UnknownTransformError(
                say(pl=f"jednego z kroków nie da się powtórzyć: {kind}", en=f"a step cannot be repeated, {kind}")
            ) from error
        size = image.size if isinstance(image, Image.Image) else image.shape[-2:]
        if max(size) > 2 * MAX_SIDE:
            sides = f"{size[0]}×{size[1]}"
            raise UnknownTransformError(
                say(pl=f"jeden z kroków daje obrazy o wymiarach {sides}", en=f"a step makes images of {sides}")
            )
    return image


def _build(step: TransformStep, stage: Stage) -> Callable[[Any], Any]:
    """Build torchvision's own transform from declared parameters, after checking each."""
    from torchvision import transforms  # noqa: PLC0415 - slow to import, seldom needed
    from torchvision.transforms import v2  # noqa: PLC0415

    library = v2 if stage is Stage.BYTES_V2 else transforms
    given = step.parameters
    try:
        if step.type == "Resize":
            mode = transforms.InterpolationMode(str(given.get("interpolation", "bilinear")))
            longest = None if given.get("max_size") is None else _sizes(given["max_size"])
            return library.Resize(_sizes(given["size"]), mode, longest, given.get("antialias", True))  # type: ignore[no-any-return]
        if step.type == "Pad":
            mode = str(given.get("padding_mode", "constant"))
            return library.Pad(_sizes(given["padding"]), _fill(given.get("fill", 0)), mode)  # type: ignore[no-any-return]
        if step.type == "CenterCrop":
            return library.CenterCrop(_sizes(given["size"]))  # type: ignore[no-any-return]
        return library.Grayscale(_sizes(given.get("num_output_channels", 1)))  # type: ignore[no-any-return]
    except (KeyError, ValueError, TypeError, OverflowError) as error:
        with_what = printable(str(dict(given)), 200)
        raise UnknownTransformError(
            say(pl=f"ma krok {step.type} o parametrach {with_what}", en=f"{step.type} with {with_what}")
        ) from error


def _sizes(value: Any) -> int | list[int]:
    sizes = [int(part) for part in (value if isinstance(value, tuple | list) else (value,))]
    if not sizes or len(sizes) > 4 or not all(0 <= size <= MAX_SIDE for size in sizes):
        raise ValueError(value)
    return sizes[0] if len(sizes) == 1 else sizes


def _fill(value: Any) -> int | float:
    """Return what is padded with: PIL wants a whole number, tensors take any."""
    number = float(value)
    if not 0 <= number <= 255:
        raise ValueError(value)
    return int(number) if number.is_integer() else number


class ImageSet:
    """Images of a profile, passed through the student's transform in chunks, as input of models."""

    def __init__(self, images: Images, transform: ImageTransform) -> None:
        self.labels = images.labels
        self._raw = images.images.split(CHUNK)
        self._transform = transform
        self._kept: dict[int, Tensor] = {}

    def scores(self, model: RebuiltModel) -> Tensor:
        """Return the model's scores, (N, 10) where it is as it should be."""
        return torch.cat([predict(model, self._chunk(index)) for index in range(len(self._raw))])

    def first(self, n: int) -> Tensor:
        """Return the first n images, (n, C, H, W); n is at most one chunk, which is kept: every layer's check asks for it."""
        self._kept[0] = self._chunk(0)
        return self._kept[0][:n]

    def _chunk(self, index: int) -> Tensor:
        """Transform a chunk; keep it for the next model where all of them together take little memory."""
        if index in self._kept:
            return self._kept[index]
        chunk = self._transform(self._raw[index])
        if chunk.nbytes * len(self._raw) <= KEPT_BYTES:
            self._kept[index] = chunk
        return chunk


def change(images: Images, generator: np.random.Generator) -> Images:
    """Return the first images (N, H, W) or (N, H, W, 3), uint8: each shifted, of another contrast about its mean, noisy."""
    pixels = images.images[:CHANGED_IMAGES].numpy()
    count, *sizes = pixels.shape[:3]
    # Which row, and which column, of the image is seen at each place; at the border the last one again.
    rows, columns = (
        (np.arange(size) + generator.integers(-SHIFT, SHIFT + 1, (count,))[:, None]).clip(0, size - 1) for size in sizes
    )
    levels = pixels[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]].astype(np.float32)
    one_each = (count, *[1] * (levels.ndim - 1))
    mean = levels.mean(axis=tuple(range(1, levels.ndim)), keepdims=True)
    levels = mean + (levels - mean) * generator.uniform(*CONTRAST, one_each).astype(np.float32)
    noise = generator.standard_normal(levels.shape, dtype=np.float32)
    levels += noise * generator.uniform(0, NOISE, one_each).astype(np.float32)
    return Images(torch.from_numpy(levels.round().clip(0, 255).astype(np.uint8)), images.labels[:CHANGED_IMAGES])
