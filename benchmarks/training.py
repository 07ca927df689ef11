"""Training, ours against the sheet's DataLoader loop: `python -m benchmarks.training`.

Both train the same networks from the same first weights, with Adam in batches of 128, on the first
N images of Fashion-MNIST, for the same number of steps; they take turns, a model at a time, and are
both measured on the test images afterwards. What happens once, as compiling kernels for a shape,
is done before by each on a few images. Ours pauses after each epoch to measure ten images.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.table import Column, Table
from torch import nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import FashionMNIST

from reference.data import Dataset, Images, load
from reference.evaluation import evaluate
from reference.recipe import Recipe, pick_device
from reference.trainer import train
from reference.zoo import EXPERIMENTS, Experiment, build

WARM_UP = 300
Loop = Callable[[nn.Module, Images, Recipe], None]


@dataclass(frozen=True)
class Run:
    """One training: seconds on the clock, seconds of all processor cores, accuracy on the test images."""

    wall: float
    cpu: float
    accuracy: float


class FirstImages(FashionMNIST):  # type: ignore[misc]  # torchvision has no types
    """torchvision's data set with images that are here already: its `__getitem__` is unchanged."""

    def __init__(self, images: Images) -> None:
        self.data, self.targets = images.images, images.labels
        self.transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
        self.target_transform = None


def sheets_loop(model: nn.Module, images: Images, recipe: Recipe) -> None:
    """Train as the sheet's students do: a DataLoader, float32, plain Adam, each loss fetched."""
    device = pick_device(recipe.device)
    model.to(device).train()
    loader: DataLoader[tuple[torch.Tensor, torch.Tensor]] = DataLoader(
        FirstImages(images), batch_size=recipe.batch_size, shuffle=True
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
    criterion = nn.CrossEntropyLoss()
    for _ in range(recipe.epochs):
        for inputs, labels in loader:
            optimiser.zero_grad()
            loss = criterion(model(inputs.to(device)), labels.to(device))
            loss.backward()
            optimiser.step()
            loss.item()


def our_loop(model: nn.Module, images: Images, recipe: Recipe) -> None:
    """Train with the reference's loop; ten images stand for the validation it does each epoch."""
    train(model, images, _first(images, 10), recipe)


def measured(loop: Loop, experiment: Experiment, images: Images, test: Images, recipe: Recipe) -> Run:
    """Train the experiment's network by `loop` and measure it."""
    loop(build(experiment.architecture), _first(images, WARM_UP), recipe)
    model = build(experiment.architecture)
    torch.manual_seed(recipe.seed)
    wall, cpu = perf_counter(), process_time()
    loop(model, images, recipe)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    wall, cpu = perf_counter() - wall, process_time() - cpu
    return Run(wall, cpu, evaluate(model.cpu(), test, recipe).accuracy)


def main(
    names: Annotated[list[str] | None, typer.Option("--model", help="Only these (repeat). [all]")] = None,
    n: Annotated[int, typer.Option("--images", min=WARM_UP)] = 60_000,
    epochs: Annotated[int, typer.Option(min=1)] = 2,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
) -> None:
    """Measure both loops on every model and print a table."""
    known = [experiment.name for experiment in EXPERIMENTS]
    if unknown := set(names or ()) - set(known):
        raise typer.BadParameter(f"no model {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
    recipe = Recipe(epochs=epochs, device=pick_device(device).type)
    images = _first(load(Dataset.FASHION_MNIST, "train"), n)
    test = load(Dataset.FASHION_MNIST, "test")
    chosen = [experiment for experiment in EXPERIMENTS if experiment.name in (names or known)]
    pairs = [
        tuple(measured(loop, experiment, images, test, recipe) for loop in (sheets_loop, our_loop))
        for experiment in chosen
    ]
    Console().print(_table([experiment.name for experiment in chosen], pairs), _title(recipe, len(images)))


def _table(names: list[str], pairs: list[tuple[Run, ...]]) -> Table:
    table = Table(Column("model", no_wrap=True))
    for heading in ("sheet's, s", "ours, s", "ratio", "of CPU time", "sheet's accuracy", "ours"):
        table.add_column(heading, justify="right")
    for name, pair in zip(names, pairs, strict=True):
        table.add_row(name, *_ratios(pair), *(f"{run.accuracy:.4f}" for run in pair))
    table.add_section()
    columns = list(zip(*pairs, strict=True))
    sums = tuple(_sum(column) for column in columns)
    table.add_row("all", *_ratios(sums), *(f"{run.accuracy:.4f}" for run in sums))
    return table


def _sum(runs: tuple[Run, ...]) -> Run:
    """Add up the times; the accuracy is the mean."""
    mean = sum(run.accuracy for run in runs) / len(runs)
    return Run(sum(run.wall for run in runs), sum(run.cpu for run in runs), mean)


def _ratios(pair: tuple[Run, ...]) -> Iterator[str]:
    sheets, ours = pair
    yield from (f"{sheets.wall:.1f}", f"{ours.wall:.1f}")
    yield from (f"{sheets.wall / ours.wall:.2f}", f"{sheets.cpu / ours.cpu:.2f}")


def _title(recipe: Recipe, n: int) -> str:
    place = torch.cuda.get_device_name() if recipe.device == "cuda" else f"{torch.get_num_threads()} threads"
    return f"{recipe.epochs} epochs of {n:,} images, {recipe.device} ({place}), torch {torch.__version__}"


def _first(images: Images, n: int) -> Images:
    return Images(images.images[:n], images.labels[:n])


if __name__ == "__main__":
    typer.run(main)
