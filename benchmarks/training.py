"""How long an epoch takes, ours against the sheet's DataLoader: `python -m benchmarks.training`.

Both train the same network, max_pool, with Adam in batches of 128 on the first N images of
Fashion-MNIST, scaled up to 60,000; the figure is the better of two epochs.
"""

from time import perf_counter
from typing import Annotated

import torch
import typer
from rich.console import Console
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import FashionMNIST

from reference.data import Dataset, Images, load
from reference.device import pick_device
from reference.experiments import EXPERIMENTS
from reference.trainer import Recipe, train
from reference.zoo import build

WHOLE = 60_000


class FirstImages(FashionMNIST):  # type: ignore[misc]  # torchvision has no types
    """torchvision's data set with images that are here already: its `__getitem__` is unchanged."""

    def __init__(self, images: Images) -> None:
        self.data, self.targets = images.images, images.labels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
        self.target_transform = None


def sheets_epoch(model: nn.Module, images: Images, device: torch.device) -> float:
    """Train for one epoch as the sheet's students do; return seconds."""
    loader: DataLoader[tuple[torch.Tensor, torch.Tensor]] = DataLoader(
        FirstImages(images), batch_size=128, shuffle=True
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    start = perf_counter()
    for inputs, labels in loader:
        optimiser.zero_grad()
        loss = criterion(model(inputs.to(device)), labels.to(device))
        loss.backward()
        optimiser.step()
        loss.item()
    return perf_counter() - start


def our_epoch(model: nn.Module, images: Images, device: torch.device) -> float:
    """Train for one epoch with the reference's loop, a handful of validation images included."""
    few = Images(images.images[:10], images.labels[:10])
    start = perf_counter()
    train(model, images, few, Recipe(epochs=1, device=device.type))
    return perf_counter() - start


def main(
    name: Annotated[str, typer.Option("--model")] = "max_pool",
    n: Annotated[int, typer.Option("--images", min=128)] = 12_000,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure both and print seconds an epoch and their ratio."""
    chosen = next(experiment for experiment in EXPERIMENTS if experiment.name == name)
    whole, place = load(Dataset.FASHION_MNIST, "train"), pick_device(device)
    images = Images(whole.images[:n], whole.labels[:n])
    seconds = [
        min(epoch(build(chosen.architecture).to(place), images, place) for _ in range(2)) * WHOLE / n
        for epoch in (sheets_epoch, our_epoch)
    ]
    Console().print(
        f"{name}, {place}, {torch.get_num_threads()} threads, torch {torch.__version__}: "
        f"the sheet's loop {seconds[0]:.1f} s an epoch, ours {seconds[1]:.1f} s, "
        f"{seconds[0] / seconds[1]:.1f} times faster."
    )


if __name__ == "__main__":
    typer.run(main)
