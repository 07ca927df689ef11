"""Which data set a notebook chose, read from its source before anything runs."""

import ast

from autograder.engine.errors import GraderError
from autograder.engine.notebook import Submission, parse_cell
from autograder.lesson.data import available
from reference.data import Dataset


def chosen_dataset(submission: Submission) -> Dataset:
    """Return the data set the notebook chose; raises `GraderError` where it is not on this machine."""
    chosen = Dataset.FASHION_MNIST
    for cell in submission.cells:
        if cell.kind == "code":
            chosen = _assigned(cell.source) or chosen
    if not available(chosen):
        raise GraderError(
            f"The notebook uses {chosen}, and that data set is not on this machine; `splot doctor` says how to get it."
        )
    return chosen


def _assigned(source: str) -> Dataset | None:
    """Return what a cell assigns to DATASET, if it does so by a literal; else the one torchvision class it uses."""
    tree = parse_cell(source)
    literal = None
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            if "DATASET" in names and node.value.value in set(Dataset):
                literal = Dataset(str(node.value.value))
    used = {
        n.attr if isinstance(n, ast.Attribute) else n.id
        for n in ast.walk(tree)
        if isinstance(n, ast.Attribute | ast.Name)
    }
    classes = [dataset for dataset in Dataset if dataset in used]
    return literal or (classes[0] if len(classes) == 1 else None)
