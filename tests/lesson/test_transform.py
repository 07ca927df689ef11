"""The student's image transform, recovered from pairs: ours gives what theirs gave, or says that it cannot."""

import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision import transforms
from torchvision.transforms import v2

from autograder.lesson.observations import DataRecord, TransformStep, random_images
from autograder.lesson.recorders.images import VisibleImages, record_data
from autograder.lesson.transform import ImageTransform, UnknownTransformError, recover

pytestmark = pytest.mark.usefixtures("english")

T = transforms
FLOAT = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]


class Stand:
    """A dataset that opens its images as torchvision's own do, over data of any kind."""

    def __init__(self, data: Any, transform: Callable[[Any], Any]) -> None:
        self.data, self.targets, self.transform = data, [0] * len(data), transform

    def __len__(self) -> int:
        """Count the images."""
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        """Open one image, as MNIST and CIFAR10 do."""
        image = self.data[index]
        picture = Image.fromarray(image.numpy() if isinstance(image, Tensor) else image)
        return self.transform(picture), 0


def fresh(kind: str) -> Any:
    """Return other images than the probe's: a tensor of grey ones, an array of colour ones."""
    images = random_images("held-out", kind)
    return torch.from_numpy(images) if kind == "grey" else images


def recovered(transform: Callable[[Any], Any], kind: str, folder: Path) -> ImageTransform:
    """Let the real probe write down a transform, and recover it from that."""
    for name in ("grey", "colour"):
        np.save(folder / f"{name}.npy", random_images("seed", name))
    namespace = {"testset": Stand(fresh(kind), transform)}
    record = msgspec.convert(record_data(VisibleImages(), namespace, {}, folder, folder)[0], DataRecord)
    assert record.failure is None
    return recover(record, torch.from_numpy(random_images("seed", kind)), np.load(folder / "random.npy"))


def assert_same(transform: Callable[[Any], Any], kind: str, folder: Path) -> None:
    """Assert that ours gives on images it was not fitted to what theirs gives, in value, shape and dtype."""
    images = fresh(kind)
    theirs = torch.stack([Stand(images, transform)[index][0] for index in range(len(images))])
    ours = recovered(transform, kind, folder)(torch.as_tensor(images))
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    tolerance = 2e-3 if theirs.dtype == torch.float16 else 1e-4
    assert (ours.double() - theirs.double()).abs().max() <= tolerance * (1 + theirs.double().abs().max())


def thousandfold(x: Tensor) -> Tensor:
    """Return 0…255 as floats."""
    return x * 255


GREY: dict[str, Sequence[Any]] = {
    "ToTensor": [T.ToTensor()],
    "normalised": [T.ToTensor(), T.Normalize((0.2860,), (0.3530,))],
    "0…255": [T.ToTensor(), T.Lambda(thousandfold)],
    "inverted": [T.ToTensor(), T.Lambda(lambda x: 1 - x)],
    "bytes": [T.PILToTensor()],
    "whole numbers": [T.PILToTensor(), T.Lambda(lambda x: x.long())],
    "half precision": [T.ToTensor(), T.Normalize((0.5,), (0.25,)), T.ConvertImageDtype(torch.float16)],
    "double precision": [T.ToTensor(), T.ConvertImageDtype(torch.float64)],
    "three channels": [T.Grayscale(3), T.ToTensor(), T.Normalize((0.5, 0.4, 0.3), (0.5, 0.6, 0.7))],
    "repeated": [T.ToTensor(), T.Lambda(lambda x: x.repeat(3, 1, 1))],
    "resized": [T.Resize((32, 32)), T.ToTensor()],
    "resized, nearest": [T.Resize(32, interpolation=T.InterpolationMode.NEAREST), T.ToTensor()],
    "resized tensor": [T.ToTensor(), T.Resize(20)],
    "resized tensor, not antialiased": [T.ToTensor(), T.Resize(20, antialias=False)],
    "resized bytes": [T.PILToTensor(), T.Resize(32), T.ConvertImageDtype(torch.float32)],
    "resized, v2": [v2.Resize(32), *FLOAT],
    "resized bytes, v2": [v2.ToImage(), v2.Resize(32), v2.ToDtype(torch.float32, scale=True)],
    "padded": [T.Pad(2), T.ToTensor(), T.Normalize((0.5,), (0.5,))],
    "padded white, three sides": [T.Pad([1, 2, 3, 0], fill=255), T.ToTensor()],
    "padded tensor": [T.ToTensor(), T.Pad(2, fill=0.5)],
    "padded, mirrored": [T.Pad(3, padding_mode="reflect"), T.ToTensor()],
    "cropped": [T.CenterCrop(24), T.ToTensor()],
    "cropped tensor": [T.ToTensor(), T.CenterCrop((24, 20))],
    "resized, then cropped": [T.Resize(40), T.CenterCrop(32), T.ToTensor()],
    "nested": [T.Compose([T.Compose([T.Resize(32)]), T.ToTensor()])],
}
COLOUR: dict[str, Sequence[Any]] = {
    "normalised": [T.ToTensor(), T.Normalize((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616))],
    "grey": [T.Grayscale(), T.ToTensor()],
    "grey tensor": [T.ToTensor(), T.Grayscale()],
    "resized": [T.Resize(40), T.ToTensor()],
    "v2": [*FLOAT, v2.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))],
}


@pytest.mark.parametrize("name", GREY)
def test_a_transform_of_grey_images_is_recovered(name: str, tmp_path: Path) -> None:
    """Ours equals theirs on images that were not among the pairs."""
    assert_same(T.Compose(GREY[name]), "grey", tmp_path)


@pytest.mark.parametrize("name", COLOUR)
def test_a_transform_of_colour_images_is_recovered(name: str, tmp_path: Path) -> None:
    """Likewise for CIFAR-10's images."""
    assert_same(T.Compose(COLOUR[name]), "colour", tmp_path)


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([T.RandomCrop(20), T.ToTensor()], "is random"),
        ([T.ToTensor(), T.Lambda(lambda x: x + torch.rand_like(x))], "is random"),
        ([T.ToTensor(), T.Lambda(lambda x: (x > 0.5).float())], "not among those the judge knows"),
        ([T.GaussianBlur(3, sigma=1.0), T.ToTensor()], "not among those the judge knows"),
        ([T.ToTensor(), T.Lambda(lambda x: x.flatten())], r"of shape \(784,\)"),
        ([T.Resize(300), T.ToTensor()], r"of shape \(1, 300, 300\)"),
        ([T.ToTensor(), T.Lambda(lambda x: x.repeat(17, 1, 1))], r"of shape \(17, 28, 28\)"),
        ([T.ToTensor(), T.Lambda(lambda x: x > 0.5)], "come out as bool"),
    ],
)
def test_what_cannot_be_repeated_is_said_to_be_unknown(steps: Sequence[Any], why: str, tmp_path: Path) -> None:
    """Random transforms, ones that no affine map gives, shapes that are no images."""
    with pytest.raises(UnknownTransformError, match=why):
        recovered(T.Compose(steps), "grey", tmp_path)


RAW = torch.from_numpy(random_images("seed", "grey"))
HOSTILE: list[list[tuple[str, dict[str, Any]]]] = [
    [("Resize", {"size": 10**9})],
    [("Resize", {"size": -1})],
    [("Resize", {"size": 0})],
    [("Resize", {"size": "huge"})],
    [("Resize", {"size": True})],
    [("Resize", {"size": 1e308})],
    [("Resize", {"size": float("inf")})],
    [("Resize", {"size": ()})],
    [("Resize", {"size": (32.0,) * 5})],
    [("Resize", {"size": (32.0, 32.0, 32.0)})],
    [("Resize", {})],
    [("Resize", {"size": 32, "max_size": 16})],
    [("Resize", {"size": 32, "interpolation": "magic"})],
    [("Resize", {"size": 32, "antialias": "yes"})],
    [("Pad", {"padding": 10**9})],
    [("Pad", {"padding": (256.0, 256.0, 256.0, 256.0)})],
    [("Pad", {"padding": -1})],
    [("Pad", {"padding": 2, "fill": 10**300})],
    [("Pad", {"padding": 2, "fill": "red"})],
    [("Pad", {"padding": 2, "padding_mode": "__import__"})],
    [("Pad", {"padding": 200, "padding_mode": "reflect"})],
    [("CenterCrop", {"size": 0})],
    [("CenterCrop", {"size": 10**9})],
    [("CenterCrop", {"size": (1.0, 256.0)}), ("Resize", {"size": 256})],
    [("Grayscale", {"num_output_channels": 10**9})],
    [("Grayscale", {"num_output_channels": 2})],
    [("Grayscale", {"num_output_channels": (3.0, 3.0)})],
    [("Pad", {"padding": 256})] * 32,
    [("Resize", {"size": 256})] * 32,
]


@pytest.mark.parametrize("steps", HOSTILE, ids=str)
def test_hostile_parameters_are_refused_without_a_large_allocation(steps: list[tuple[str, dict[str, Any]]]) -> None:
    """Enormous, negative, nameless and nonsensical parameters: one kind of error, and less than 200 MB on the way."""
    record = DataRecord(steps=tuple(TransformStep(name, parameters) for name, parameters in steps))
    seen = np.random.default_rng(0).random((16, 1, 31, 31), dtype=np.float32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(UnknownTransformError) as raised:
        recover(record, RAW, seen)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "seen",
    [
        np.zeros(()),
        np.zeros((16, 1, 28)),
        np.zeros((15, 1, 28, 28)),
        np.zeros((16, 0, 28, 28)),
        np.zeros((16, 1, 0, 0)),
        np.zeros((16, 1, 28, 28), dtype=bool),
        np.zeros((16, 1, 28, 28), dtype=">f4"),
        np.full((16, 1, 28, 28), np.nan),
        np.full((16, 1, 28, 28), np.inf),
        np.random.default_rng(0).choice([-1.7e308, 1.7e308], (16, 1, 28, 28)),
        np.broadcast_to(np.zeros(1, dtype=np.float32), (16, 10**6, 1, 1)),
    ],
    ids=lambda seen: f"{seen.dtype}{seen.shape}",
)
def test_hostile_images_are_refused(seen: Any) -> None:
    """Shapes that are no batch of images, values that are no numbers, a million channels."""
    for steps in ((), (TransformStep("CenterCrop", {"size": 0}),), (TransformStep("CenterCrop", {"size": 1}),)):
        with pytest.raises(UnknownTransformError):
            recover(DataRecord(steps=steps), RAW, seen)


def test_a_recovered_transform_says_what_it_is(tmp_path: Path) -> None:
    """One line: the steps and the affine map of each channel."""
    transform = T.Compose([T.Resize(32), T.ToTensor(), T.Normalize((0.5,), (0.5,))])
    found = recovered(transform, "grey", tmp_path)
    assert [step.type for step in found.geometry.steps] == ["Resize"]
    assert (found.scale.item(), found.shift.item()) == pytest.approx((2, -1))
