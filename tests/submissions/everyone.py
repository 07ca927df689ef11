"""All submissions of the tests as one class, and what two graders gave it: `python -m tests.submissions.everyone`.

    everyone write FOLDER           build them in FOLDER/<student>/cnn/
    everyone compare BEFORE AFTER   name each check of two result folders that ended differently; exit 1 if any did

Between them stands `splot grade FOLDER --profile quick --out BEFORE`, by the code of one commit, then of another.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import nbformat

from tests.submissions import RIGHT, WRONG, build, fill
from tests.submissions.corpus import CORPUS, cells_of
from tests.submissions.fitted import FITTED_CELLS, UNTRUE_CELLS
from tests.submissions.hostile import ATTACKS

PLAIN = {
    "right": RIGHT,
    "untouched": {},
    "wrong": WRONG,
    "fitted": FITTED_CELLS,
    "untrue": UNTRUE_CELLS,
}


def write(folder: Path) -> None:
    """Build every submission; the names of the students say what each is."""
    for name, cells in PLAIN.items():
        build(cells, folder, name)
    for attack in ATTACKS:
        notebook = fill(attack.cells)
        if attack.reshape is not None:
            attack.reshape(notebook)
        path = folder / attack.name / "cnn" / "cnn.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(notebook), "utf-8")
    for sample in CORPUS.values():
        build(cells_of(sample), folder, sample.student)


def compare(before: Path, after: Path) -> int:
    """Print what differs between two folders of reports; return how many lines that took."""
    old, new = (dict(_verdicts(folder)) for folder in (before, after))
    different = [key for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]
    for key in different:
        sys.stdout.write(f"{' · '.join(key)}: {old.get(key)} → {new.get(key)}\n")
    sys.stdout.write(f"{len(old)} verdicts before, {len(new)} after, {len(different)} of them different\n")
    return len(different)


def _verdicts(folder: Path) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield how each submission, cell and check ended."""
    for path in sorted(folder.glob("*/*/report.json")):
        report = msgspec.json.decode(path.read_bytes())
        student = path.parent.parent.name
        yield (student,), (report["status"], report["score"], report["bonus"])
        for cell in report["cells"]:
            yield (student, cell["id"]), (cell["score"], cell["points"])
            for check in cell["checks"]:
                yield (student, cell["id"], check["name"]), check["passed"]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["write", folder]:
            write(Path(folder))
        case ["compare", before, after]:
            sys.exit(min(1, compare(Path(before), Path(after))))
        case _:
            sys.exit(__doc__)
