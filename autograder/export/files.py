"""From the file an instructor downloaded to the one they upload: beside it, never over it."""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from autograder.errors import SplotError
from autograder.export.canvas import fill_canvas
from autograder.export.fill import Filled, Rules
from autograder.export.grades import Grade
from autograder.export.moodle import fill_moodle
from autograder.export.table import write_table
from autograder.wholefile import write_whole


class System(StrEnum):
    """Where grades go."""

    MOODLE = "moodle"
    CANVAS = "canvas"
    CSV = "csv"


def fill_file(
    system: System,
    downloaded: Path | None,
    out: Path | None,
    grades: Sequence[Grade],
    rules: Rules,
    *,
    assignment: str | None = None,
    feedback: bool = False,
) -> tuple[Path, Filled]:
    """Write the filled file and return its path with what is to be said; raises `SplotError`, and then writes nothing.

    Without `out` it stands beside `downloaded`, with `-filled` in its name, in place of an earlier such file; our own
    table is `grades.csv`. Nothing else is ever overwritten: an older table may hold marks.
    """
    if system is System.CSV:
        filled = Filled(write_table(grades, rules.bonus), "", len(grades), ())
        return write_whole(_new(out or Path("grades.csv")), filled.content), filled
    if downloaded is None:
        raise SplotError(f"Give the file that you downloaded: `splot export {system} FILE`.")
    target = downloaded.with_name(f"{downloaded.stem}-filled{downloaded.suffix}") if out is None else _new(out)
    content = _read(downloaded)
    if system is System.MOODLE:
        filled = fill_moodle(content, grades, rules, feedback=feedback, column=assignment)
    elif assignment is None:
        raise SplotError("Name the column to fill: --assignment TITLE, or its number in Canvas.")
    else:
        filled = fill_canvas(content, grades, rules, assignment=assignment)
    return write_whole(target, filled.content), filled


def _new(target: Path) -> Path:
    if target.exists():
        raise SplotError(f"{target} exists already; let --out name a new file, or move that one away.")
    return target


def _read(downloaded: Path) -> bytes:
    try:
        return downloaded.read_bytes()
    except OSError as error:
        raise SplotError(f"{downloaded} cannot be read: {error.strerror}.") from error
