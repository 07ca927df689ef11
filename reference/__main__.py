"""Train the baseline and every experiment, and compare them: `python -m reference --help`."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from torch import nn

from reference.cam import new_figure, save, save_cams
from reference.data import DataNotFoundError, Dataset, Images, load
from reference.evaluation import Metrics, ModelOnDevice, evaluate
from reference.recipe import Recipe, pick_device
from reference.trainer import TrainingHistory, train
from reference.zoo import EXPERIMENTS, Experiment, build, for_images

CLASS_NAMES = {
    Dataset.FASHION_MNIST: (
        *("T-shirt", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Boot"),
    ),
    Dataset.CIFAR10: (
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
}
VALIDATION = 5_000


@dataclass(frozen=True)
class Result:
    """A trained model, how its training went, and what it scores on the test images."""

    model: nn.Module
    history: TrainingHistory
    metrics: Metrics
    seconds: float


def main(
    *,
    dataset: Annotated[Dataset, typer.Option(help="Which images.")] = Dataset.FASHION_MNIST,
    model: Annotated[list[str] | None, typer.Option(help="Only these (repeat). [all]")] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    batch_size: Annotated[int, typer.Option(min=1)] = 128,
    rate: Annotated[float, typer.Option(help="Highest learning rate of one cycle.")] = 4e-3,
    seed: int = 0,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    download: Annotated[bool, typer.Option(help="Download the images if missing.")] = False,
    out: Annotated[Path, typer.Option(help="Folder for the plots.")] = Path("build/reference"),
) -> None:
    """Train the models of Tasks 3 and 4, print a table and save learning curves and CAMs."""
    console = Console()
    recipe = Recipe(epochs, batch_size, learning_rate=rate, one_cycle=True, flip=True, seed=seed, device=device)
    try:
        images, test = (load(dataset, part, download=download) for part in ("train", "test"))
    except DataNotFoundError as error:
        console.print(error)
        raise typer.Exit(2) from error
    known = {experiment.name: experiment for experiment in EXPERIMENTS}
    if unknown := sorted(set(model or ()) - set(known)):
        raise typer.BadParameter(f"no model {', '.join(unknown)}; there are {', '.join(known)}.")
    chosen = [known[name] for name in model or known]
    with Progress(console=console, transient=True) as progress:
        results = {experiment.name: _run(experiment, images, test, recipe, progress) for experiment in chosen}
    console.print(_table(chosen, results))
    save_curves({name: result.history for name, result in results.items()}, out / "curves.png")
    for name in [name for name in ("gap", "regularized", "deep", "custom") if name in results]:
        trained = results[name].model
        inputs = ModelOnDevice(trained, replace(recipe, device="cpu"), pick_device("cpu")).inputs(test.images[:6])
        save_cams(trained, inputs, CLASS_NAMES[dataset], out / f"cam-{name}.png")
    console.print(f"Plots are in {out}.")


def _run(experiment: Experiment, images: Images, test: Images, recipe: Recipe, progress: Progress) -> Result:
    channels = 3 if images.images.ndim == 4 else 1
    shape = (channels, *images.images.shape[1:3])
    model = build(for_images(experiment, shape), recipe.seed)
    task = progress.add_task(experiment.name, total=recipe.epochs)
    start = perf_counter()
    # The last images of the training set validate; the test images are seen once, at the end.
    history = train(
        model,
        Images(images.images[:-VALIDATION], images.labels[:-VALIDATION]),
        Images(images.images[-VALIDATION:], images.labels[-VALIDATION:]),
        recipe,
        lambda _: progress.advance(task),
    )
    return Result(model, history, evaluate(model, test, recipe), perf_counter() - start)


def _table(experiments: list[Experiment], results: dict[str, Result]) -> Table:
    table = Table("model", "what changed", title="On the test images")
    for heading in ("parameters", "accuracy", "macro F1", "seconds"):
        table.add_column(heading, justify="right")
    for experiment in experiments:
        result = results[experiment.name]
        size = sum(weights.numel() for weights in result.model.parameters())
        scores = (f"{result.metrics.accuracy:.4f}", f"{result.metrics.f1:.4f}")
        row = (experiment.name, experiment.change, f"{size:,}", *scores, f"{result.seconds:.0f}")
        table.add_row(*row)
    return table


def save_curves(histories: Mapping[str, TrainingHistory], path: Path) -> None:
    """Draw training loss, validation loss and validation accuracy of all models, by epoch."""
    figure = new_figure(15, 4)
    for axes, field in zip(figure.subplots(1, 3), TrainingHistory.__dataclass_fields__, strict=True):
        for name, history in histories.items():
            values = getattr(history, field)
            axes.plot(range(1, len(values) + 1), values, marker=".", label=name)
        axes.set(xlabel="epoch", ylabel=field.replace("_", " "))
        axes.grid(alpha=0.3)
    axes.legend()
    save(figure, path)


if __name__ == "__main__":
    typer.run(main)
