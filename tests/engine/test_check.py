"""`splot check`: what is wrong with a notebook, cell by cell, and a mended copy of it; nothing is run."""

import json
import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from autograder.cli import main
from autograder.engine.errors import SubmissionError
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.notebook.repair import Damage, DamageKind
from autograder.engine.notebook.submission import check, read_submission, write_fixed
from autograder.engine.text import Lang, in_language
from tests.pasted_pictures import picture
from tests.submissions.build import RELEASE, build

ASSIGNMENT = load_assignment()
UNMENDED = {DamageKind.MISSING_ANSWER, DamageKind.MOVED}  # what grading bears with stays as the student left it
Document = dict[str, Any]


def write(path: Path, document: object) -> Path:
    """Write a document as JSON."""
    path.write_text(json.dumps(document))
    return path


@dataclass(frozen=True)
class Done:
    """How the command ended."""

    code: object
    out: str
    err: str


@pytest.fixture
def splot_check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Give `splot check` as a function of its arguments."""

    def run(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["splot", "check", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code, *capsys.readouterr())

    return run


def test_each_damage_has_words_in_both_languages() -> None:
    """Every kind says what is wrong, where, and what grading does about it."""
    for damage in DamageKind:
        found = Damage(damage, ("task1_convolution",))
        with in_language(Lang.PL):
            polish = str(found)
        with in_language(Lang.EN):
            english = str(found)
        assert polish != english
        assert ": task1_convolution. " in polish
        assert ": task1_convolution. " in english


def test_damage_shows_untrusted_ids_harmlessly() -> None:
    """An id with line breaks and terminal codes stays on its line; of long lists and names the beginning is shown."""
    found = Damage(DamageKind.UNKNOWN, ("\n::error::\x1b[31m", "x" * 10**6, *map(str, range(100))))
    assert str(found).isprintable()
    assert len(str(found)) < 500


def test_the_command_says_what_is_wrong_and_exits_by_it(tmp_path: Path, splot_check: Callable[..., Done]) -> None:
    """0 nothing is wrong, 1 damage, 2 unreadable; of several notebooks the worst; the sentences are Polish by default."""
    whole = build({}, tmp_path, "anna")
    damaged = build({"task2_case_1_tests": "pass"}, tmp_path, "ewa")
    (tmp_path / "iga/cnn").mkdir(parents=True)
    (tmp_path / "iga/cnn/cnn.ipynb").write_text("{")
    fine = splot_check(whole, "--lang", "en")
    assert (fine.code, fine.out.split(": ")[-1]) == (0, "nothing needs mending.\n")
    some = splot_check(damaged)
    assert some.code == 1
    assert " ".join(some.out.split()).endswith(
        "Zmienione komórki, których treść jest stała: task2_case_1_tests. Przy ocenianiu przywraca się im pierwotną treść."
    )
    every = splot_check(tmp_path)
    assert (every.code, every.out.count("iga"), "Traceback" in every.err) == (2, 1, False)


def test_the_command_writes_a_mended_copy_and_never_over_a_file(
    tmp_path: Path, splot_check: Callable[..., Done]
) -> None:
    """`--fix` makes a new file; the original and anything that is there already stay as they are."""
    path = build({"task2_case_1_tests": "pass"}, tmp_path, "anna")
    before = path.read_bytes()
    assert splot_check(path, "--fix", tmp_path / "mended.ipynb").code == 1
    assert check(tmp_path / "mended.ipynb", ASSIGNMENT).damage == ()
    again = splot_check(path, "--fix", path)
    assert again.code == 2
    assert "już istnieje" in again.err
    assert path.read_bytes() == before


def drop_metadata(document: Document) -> None:
    """Lose every cell's metadata."""
    for cell in document["cells"]:
        cell["metadata"] = {}


def drop_ids(document: Document) -> None:
    """Lose every cell's id."""
    for cell in document["cells"]:
        del cell["id"]


def double_all(document: Document) -> None:
    """Have every cell twice."""
    document["cells"] += json.loads(json.dumps(document["cells"]))


def shuffle(document: Document) -> None:
    """Put the cells in any order."""
    random.Random(3).shuffle(document["cells"])  # noqa: S311 - a fixed order


def empty(document: Document) -> None:
    """Have no cells."""
    document["cells"] = []


def retype_all(document: Document) -> None:
    """Make every cell raw text."""
    for cell in document["cells"]:
        cell["cell_type"] = "raw"


def claim_all(document: Document) -> None:
    """Claim other points and roles everywhere."""
    for cell in document["cells"]:
        cell["metadata"]["nbgrader"] = cell["metadata"].get("nbgrader", {}) | {
            "points": 1e308,
            "grade": True,
            "checksum": {},
            "schema_version": 99,
        }


def nonsense(document: Document) -> None:
    """Have values of the wrong type everywhere else."""
    document["metadata"] = 7
    for cell in document["cells"]:
        cell |= {"attachments": [1], "outputs": {"x": 1}, "execution_count": "many", "extra": float("nan")}


@pytest.mark.parametrize(
    "damage",
    [drop_metadata, drop_ids, double_all, shuffle, empty, retype_all, claim_all, nonsense],
    ids=lambda f: f.__name__,
)
def test_a_mended_notebook_is_what_grading_runs(damage: Callable[[Document], None], tmp_path: Path) -> None:
    """It is valid for nbformat and nbgrader, checks clean but for what is borne with, and runs cell by cell the same."""
    document = json.loads(RELEASE.read_text())
    damage(document)
    path, mended = write(tmp_path / "cnn.ipynb", document), tmp_path / "mended.ipynb"
    write_fixed(path, ASSIGNMENT, mended)
    notebook = nbformat.read(mended, as_version=4)
    nbformat.validate(notebook)
    MetadataValidator().validate_nb(notebook)
    again = read_submission(mended, ASSIGNMENT)
    assert {found.kind for found in again.damage} <= UNMENDED
    runs = [(cell.kind, cell.source, cell.grade_id) for cell in read_submission(path, ASSIGNMENT).cells]
    assert [(cell.kind, cell.source, cell.grade_id) for cell in again.cells] == runs


def test_pasted_images_and_nbgraders_checksum_survive_mending(tmp_path: Path) -> None:
    """A picture in a written answer is the student's work; by the checksum nbgrader knows an untouched solution."""
    document = json.loads(RELEASE.read_text())
    cells = {cell["id"]: cell for cell in document["cells"]}
    cells["task4_comparison"]["attachments"] = {"plot.png": {"image/png": picture()}}
    write_fixed(write(tmp_path / "cnn.ipynb", document), ASSIGNMENT, tmp_path / "mended.ipynb")
    mended = {cell["id"]: cell for cell in json.loads((tmp_path / "mended.ipynb").read_text())["cells"]}
    assert mended["task4_comparison"]["attachments"] == cells["task4_comparison"]["attachments"]
    assert mended["task1_convolution"]["metadata"]["nbgrader"] == cells["task1_convolution"]["metadata"]["nbgrader"]


def test_what_cannot_be_read_is_not_mended(tmp_path: Path) -> None:
    """No file is made of a file that is no notebook."""
    path = tmp_path / "cnn.ipynb"
    path.write_text("{")
    with pytest.raises(SubmissionError):
        write_fixed(path, ASSIGNMENT, tmp_path / "mended.ipynb")
    assert not (tmp_path / "mended.ipynb").exists()
    assert check(path, ASSIGNMENT).exit_code == 2
