"""What this machine can isolate, which data it has, and what to install."""

from dataclasses import dataclass

from autograder.engine.sandbox import isolation
from reference.data import DataNotFoundError, Dataset, load


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `remedy` says what to do where it is not well; `required` whether grading needs it."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


def examine() -> list[Finding]:
    """Try what the sandbox needs, and look for the data sets."""
    features = [Finding(f.name, f.ok, f.detail, f.remedy, f.required) for f in isolation()]
    return features + [_data(dataset) for dataset in Dataset]


def _data(dataset: Dataset) -> Finding:
    required = dataset is Dataset.FASHION_MNIST
    try:
        images = load(dataset, "test")
    except DataNotFoundError as error:
        return Finding(dataset, False, "Not found.", str(error), required)
    return Finding(dataset, True, f"{len(images)} test images.", required=required)
