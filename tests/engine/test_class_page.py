"""The class page: where a class stands, told right, and inert."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from autograder.engine.errors import SplotError
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.pages.classpage import (
    COLUMNS,
    cell_shares,
    class_page,
    class_table,
    histogram,
    read_class,
    write_class_page,
)
from autograder.engine.report import CellReport, Check, Kind, Outcome, Report, Status
from autograder.engine.text import Lang
from autograder.lesson.presentation import median_curve
from tests.engine.graded_pages import anatomy, findings_saying, leave, report_saying
from tests.engine.reports import REPORT

SPLOT = [sys.executable, "-c", "from autograder.cli import main; main()"]


def report_of(student: str, outcomes: dict[str, tuple[bool | None, str]], seconds: float = 1.0) -> Report:
    """Return a report of one cell with these checks."""
    checks = tuple(Check(name, 1, passed, message) for name, (passed, message) in outcomes.items())
    status = Status.UNDECIDED if any(c.passed is None for c in checks) else Status.PARTIAL
    cell = CellReport("task1_convolution_tests", "Zadanie 1: konwolucja", Kind.AUTO, 4.0, 2.0, status, checks)
    timing = msgspec.structs.replace(REPORT.timing, notebook_s=seconds)
    return msgspec.structs.replace(REPORT, student=student, cells=(cell,), timing=timing)


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """Four submissions: two fail one check by other numbers, one is open, one is not graded; and a damaged report."""
    reports = (
        report_of("ania", {"kształt": (False, "Masz 3 zamiast 4."), "wartości": (True, "")}, seconds=5),
        report_of("bartek", {"kształt": (False, "Masz 17,5 zamiast 4."), "wartości": (True, "")}, seconds=50),
        report_of("celina", {"kształt": (None, "Nie da się zmierzyć."), "wartości": (False, "Same zera.")}),
        msgspec.structs.replace(REPORT, student="darek", status=Outcome.UNGRADED, reason="za stary plik", cells=()),
    )
    for report in reports:
        leave(tmp_path / report.student / "cnn", report)
    (tmp_path / "ewa" / "cnn").mkdir(parents=True)
    (tmp_path / "ewa" / "cnn" / "report.json").write_text("{")
    return tmp_path


def test_each_check_has_the_share_that_failed_it(graded: Path) -> None:
    """Open checks count for neither side; messages that differ in numbers are one, counted once a submission."""
    (share,) = cell_shares(read_class(graded, load_assignment()))
    assert [(c.name, c.failed, c.decided, c.undecided) for c in share.checks] == [
        ("kształt", 2, 2, 1),
        ("wartości", 1, 3, 0),
    ]
    assert share.messages == (
        ("Masz 3 zamiast 4.", 2),
        ("Nie da się zmierzyć.", 1),
        ("Same zera.", 1),
    )


def test_the_page_names_whom_it_is_about(graded: Path) -> None:
    """Who waits for a person and why, who was slowest, who is not graded: each with the reason."""
    text = re.sub(r"\s+", " ", anatomy(write_class_page(graded, load_assignment(), Lang.PL)[0].read_text()).text)
    assert "5 prac mediana 66%" in text
    assert "nieocenione: 2" in text
    waiting = text[text.index("Do decyzji osoby prowadzącej") : text.index("Sprawdzenia")]
    for part in ("celina", "Nie da się zmierzyć.", "darek", "za stary plik", "ewa", "report.json cannot be read"):
        assert part in waiting
    assert "bartek" not in waiting
    slowest = text[text.index("Najdłużej oceniane") : text.index("Wszystkie prace")]
    assert slowest.index("bartek") < slowest.index("ania")


def test_the_table_holds_everything(graded: Path) -> None:
    """A row for each check of each cell, read by pandas; who has no checks has one row with the reason."""
    table = pd.read_csv(write_class_page(graded, load_assignment(), Lang.PL)[1])
    assert tuple(table.columns) == COLUMNS
    assert table.groupby("student").size().to_dict() == {"ania": 2, "bartek": 2, "celina": 2, "darek": 1, "ewa": 1}
    row = table[(table.student == "bartek") & (table.check == "kształt")].iloc[0]
    assert (row.score, row.cell_score, row.weight, row.passed, row.notebook_s) == (3.3, 2.0, 1.0, 0.0, 50.0)
    assert row.message == "Masz 17,5 zamiast 4."
    assert table[table.student == "darek"].iloc[0].reason == "za stary plik"
    assert table[table.student == "celina"].passed.isna().tolist() == [True, False]


@pytest.mark.parametrize("text", ["=HYPERLINK(0)", "+1", "-1", "@x", '"a","b"\n"c"', "\x00\r\u2028", "\ud800"])
def test_the_tables_texts_are_text(text: str, tmp_path: Path) -> None:
    """None is a formula or another row to a spreadsheet program."""
    leave(tmp_path / "a" / "cnn", report_saying(text))
    table = class_table(read_class(tmp_path, load_assignment()))
    read = pd.read_csv(io.BytesIO(table), keep_default_na=False)
    assert len(read) == 6
    for column in ("student", "title", "check", "message"):
        assert not any(str(value).startswith(("=", "+", "-", "@")) for value in read[column])


def test_the_median_follows_half_the_class() -> None:
    """Epoch by epoch over those who have a value; it ends where fewer than half of the class trained on."""
    assert median_curve([(0.1, 0.5, 0.6), (0.3, None), (0.2, 0.7)]) == [0.2, 0.6]
    assert median_curve([(0.1, 0.2), (0.3,)]) == [0.2, 0.2]
    assert median_curve([]) == []


def test_the_histogram_counts_everybody() -> None:
    """The lowest and the highest score too."""
    assert histogram([0.0, 0.05, 0.1, 0.999, 1.0]) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 2]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "\u202e\x1b[2J"])
def test_a_students_text_is_text(text: str, tmp_path: Path) -> None:
    """On the instructor's page, too, a name or a message adds no tag and no address."""
    parts = []
    for folder, said in ((tmp_path / "plain", "plain"), (tmp_path / "nasty", text)):
        leave(folder / "a" / "cnn", report_saying(said), findings_saying(said))
        ungraded = msgspec.structs.replace(report_saying(said), status=Outcome.UNGRADED, reason=said, cells=())
        leave(folder / "b" / "cnn", ungraded)
        parts.append(anatomy(class_page(read_class(folder, load_assignment()), load_assignment(), Lang.EN, folder)))
    assert parts[0].tags == parts[1].tags
    assert parts[0].names == parts[1].names
    assert parts[0].addresses == parts[1].addresses
    assert not {"\u202e", "\x1b"} & set(parts[1].text)


def test_links_lead_from_the_page_to_the_students(tmp_path: Path) -> None:
    """Relative, from wherever the page lies, and quoted, whatever the folder is called."""
    folder = leave(tmp_path / "graded" / "jan #1?" / "cnn", REPORT)
    (folder / "feedback.html").write_text("")
    page = write_class_page(tmp_path / "graded", load_assignment(), Lang.PL, tmp_path / "pages" / "all.html")[0]
    assert anatomy(page.read_text()).addresses == ["#main"] + ["./../graded/jan%20%231%3F/cnn/feedback.html"] * 2


def test_a_page_in_the_tables_place_is_refused(graded: Path) -> None:
    """One would overwrite the other."""
    with pytest.raises(SplotError, match=r"give the page's own name"):
        write_class_page(graded, load_assignment(), Lang.PL, graded / "all.csv")


def test_the_command_writes_both(graded: Path) -> None:
    """`splot report DIR --lang en`; a folder without reports is one sentence and exit 2."""
    environment = os.environ | {"COLUMNS": "20"}
    done = subprocess.run(
        [*SPLOT, "report", ".", "--lang", "en"],
        cwd=graded,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (done.returncode, done.stdout) == (0, "class.html and class.csv written.\n"), done.stderr
    assert "Distribution of scores" in (graded / "class.html").read_text()
    done = subprocess.run([*SPLOT, "report", "ewa"], cwd=graded, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("splot: ewa holds no reports; `splot grade` writes")
