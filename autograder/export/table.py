"""The class as one CSV table of our own. Marks written into its open cells are read back: see marks.py."""

import csv
import io
from collections.abc import Sequence

from autograder.export.grades import Bonus, Grade
from autograder.export.marks import STUDENT
from autograder.export.sheet import BOM
from autograder.spreadsheet import inert

COLUMNS = (STUDENT, "total", "score", "max_score", "bonus", "open", "reason")


def write_table(grades: Sequence[Grade], bonus: Bonus) -> bytes:
    """Return the table: a row a student, a column a cell; UTF-8 with a byte order mark, commas, decimal points.

    A text that a spreadsheet program would run as a formula stands behind an apostrophe. The cells that wait for a
    person are empty.
    """
    cells = list(dict.fromkeys(name for grade in grades for name, _ in grade.cells))
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow([*COLUMNS, *cells])
    for grade in grades:
        scores = dict(grade.cells)
        known = (grade.total(bonus), grade.score, grade.max_score, grade.bonus)
        worth = ["" if grade.score is None or value is None else f"{value:g}" for value in known]
        texts = [inert(grade.student), *worth, " ".join(grade.open), inert(grade.reason)]
        writer.writerow([*texts, *("" if (score := scores.get(name)) is None else f"{score:g}" for name in cells)])
    return BOM + file.getvalue().encode(errors="replace")
