"""The corpus of `splot audit` by name, for tests and benchmarks; a submission's cells as `build.py:fill` takes them."""

import re

from autograder.engine.audit import Sample, read_corpus
from autograder.engine.notebook import load_assignment
from tests.submissions.build import ROOT

CORPUS = {sample.name: sample for sample in read_corpus(ROOT / "corpus" / "cnn", load_assignment("cnn", ROOT))}

MAGIC = re.compile(r"(?:^|= ?)(?:%%?|!)\w", re.MULTILINE)


def cells_of(sample: Sample) -> dict[str, str]:
    """Return a submission's cells by id; an id that begins with `+` adds one before another."""
    return {("+" if answer.added else "") + answer.cell_id: answer.source for answer in sample.answers}


def is_light(sample: Sample) -> bool:
    """Whether it answers nothing beyond Tasks 1 and 2, where nothing is trained, and has no command of IPython's."""
    answers = sample.answers
    return all(
        answer.cell_id.startswith(("task1_", "task2_")) and not MAGIC.search(answer.source) for answer in answers
    )


RIGHT_CONVOLUTIONS = {
    name: cells["task1_convolution"]
    for name, cells in ((name, cells_of(sample)) for name, sample in CORPUS.items() if not sample.row.loses)
    if cells.keys() == {"task1_convolution"}
}
"""The source of `convolution` in right submissions that have nothing else."""
ROTATED = cells_of(CORPUS["wrong/convolution-rotated-by-180"])["task1_convolution"]
