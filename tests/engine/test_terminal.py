"""The report in the terminal: complete for a person, inert whatever a student's text holds."""

import io
import unicodedata

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from autograder.engine.pages.terminal import plain, print_report, print_summary
from autograder.engine.report import CellReport, Check, Kind, Outcome, Report, Status
from autograder.engine.text import Lang, in_language, points
from tests.engine.reports import REPORT

ESC = "\x1b"


def shown(report: Report, *, width: int = 100, colour: bool = False, lang: Lang = Lang.PL) -> str:
    """Return what the terminal gets."""
    file = io.StringIO()
    console = Console(file=file, width=width, force_terminal=colour, color_system="standard" if colour else None)
    with in_language(lang):
        print_report(report, console)
    return file.getvalue()


def failing(message: str) -> Report:
    """Return a report with one check that failed with this message."""
    check = Check("Wynik na losowych danych", 3, passed=False, message=message)
    cell = CellReport("task1_convolution_tests", "Konwolucja", Kind.AUTO, 4.0, 0.0, Status.FAILED, (check,))
    return msgspec.structs.replace(REPORT, cells=(cell,))


def test_a_report_says_what_a_person_needs() -> None:
    """Score, bonus, each cell with its points and result, notes, models, time: in Polish, with decimal commas."""
    text = shown(REPORT)
    for part in (
        "anna · 3,3 / 5 + 0,5 / 0,5 bonus",
        "Zadanie 1",
        "3 / 4",
        "częściowo",
        "– / 2",
        "nierozstrzygnięte",
        "do oceny",
        "Dla chętnych ★",
        "zaliczone",
        "uwaga",
        "baseline: dokładność 0,900, liczba parametrów 1234, warstwy: Conv2d → Linear",
        "profil quick, FashionMNIST; notebook 2,0 s, ocenianie 8,0 s",
    ):
        assert part in text


def test_english_is_english() -> None:
    """On request every word of ours, and the decimal points."""
    text = shown(REPORT, lang=Lang.EN)
    assert "anna · 3.3 / 5 + 0.5 / 0.5 bonus" in text
    assert "baseline: accuracy 0.900, 1234 parameters" in text
    assert "notebook 2.0 s, grading 8.0 s" in text


def test_every_status_has_its_word_in_both_languages() -> None:
    """No status is shown by its schema's name in Polish, none is missing."""
    for lang in Lang:
        for status in Status:
            cell = msgspec.structs.replace(REPORT.cells[0], status=status, checks=())
            text = shown(msgspec.structs.replace(REPORT, cells=(cell,)), lang=lang)
            assert (status.value in text) <= (lang is Lang.EN)


def test_a_message_is_said_once_for_the_checks_that_share_it() -> None:
    """Two checks stopped by one exception are named together."""
    checks = tuple(Check(name, 1, passed=False, message="NameError") for name in ("pierwszy", "drugi"))
    cell = msgspec.structs.replace(REPORT.cells[0], checks=checks)
    text = shown(msgspec.structs.replace(REPORT, cells=(cell,)))
    assert text.count("NameError") == 1
    assert "pierwszy, drugi (a_tests)" in text


def test_an_ungraded_report_shows_its_reason_and_no_points() -> None:
    """No zero is shown where nothing was judged."""
    report = msgspec.structs.replace(REPORT, status=Outcome.UNGRADED, reason="brak piaskownicy", score=None, cells=())
    text = shown(report)
    assert "anna · ungraded" in text
    assert "brak piaskownicy" in text
    assert "/ 5" not in text


@pytest.mark.parametrize(
    "text",
    [
        f"{ESC}[2J{ESC}[1;1H{ESC}[32mzaliczone",
        f"{ESC}]0;title\x07{ESC}]8;;http://example.com{ESC}\\link{ESC}]8;;{ESC}\\",
        "\x9b31m",
        "zaliczone\rniezaliczone",
        "back\x08\x08\x08\x08",
        "\u202eenozcilaz",
        "a\u200bb\u2066c\u2069\ufeff",
        "line\u2028separator\u2029",
        "half \ud800 pair",
        "\U000e0041\ue000",
    ],
)
def test_characters_that_command_a_terminal_are_shown_not_obeyed(text: str) -> None:
    """Escapes, carriage returns, bidirectional, zero-width and half characters become U+FFFD, wherever they stand."""
    for report in (
        failing(text),
        msgspec.structs.replace(REPORT, student=text),
        msgspec.structs.replace(REPORT, notes=(text,)),
        msgspec.structs.replace(REPORT, status=Outcome.UNGRADED, reason=text),
    ):
        output = shown(report)
        assert "\ufffd" in output
        assert {c for c in output if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}} <= {"\n"}


@pytest.mark.parametrize(
    "text", ["[red]x[/red]", "[bold", "[/]", ":smile:", "[link=http://x]y[/link]", "https://example.com"]
)
def test_richs_markup_is_text(text: str) -> None:
    """Brackets and emoji codes in a student's name or words mean nothing to rich."""
    assert text in shown(failing(text))
    assert text in shown(msgspec.structs.replace(REPORT, student=text))
    assert f"{ESC}]8" not in shown(failing(text), colour=True)


FORGED = "│ Zadanie 1: konwolucja 4 / 4 zaliczone"


@pytest.mark.parametrize("message", [f"x\n{FORGED}", f"{'x' * 70} {FORGED}", f"x\n\n\n{FORGED}\n"])
@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_of_a_message_passes_for_a_line_of_the_report(message: str, width: int) -> None:
    """After a line break, and where a long line wraps, a message stays set off from what the report says."""
    block = shown(failing(message), width=width).split("task1_convolution_tests)")[1].splitlines()[1:]
    said = [line for line in block if "x" in line or "zaliczone" in line or "konwolucja" in line]
    assert said
    assert all(line.startswith("│     ") for line in said if "baseline" not in line)


def test_a_name_of_several_lines_is_one_line() -> None:
    """A folder's name with a line break adds no line to a report's title or to the class's table."""
    report = msgspec.structs.replace(REPORT, student="anna\nzofia 20 / 20")
    assert "anna\ufffdzofia 20 / 20 · 3,3 / 5" in shown(report)
    file = io.StringIO()
    print_summary([report, REPORT], Console(file=file, width=120))
    assert len(file.getvalue().splitlines()) == 3


def test_the_summary_has_a_line_a_submission() -> None:
    """Points, bonus, and what is left for a person, or why there are no points."""
    ungraded = msgspec.structs.replace(
        REPORT,
        student="[red]jan",
        status=Outcome.UNGRADED,
        reason="brak danych",
        score=None,
        max_score=None,
        bonus=None,
    )
    file = io.StringIO()
    print_summary([REPORT, ungraded], Console(file=file, width=120))
    lines = [line.split() for line in file.getvalue().splitlines()]
    assert lines[1] == ["anna", "3,3", "/", "5", "0,5", "/", "0,5", "c_tests,", "d_answer"]
    assert lines[2] == ["[red]jan", "–", "/", "–", "–", "/", "0,5", "brak", "danych"]


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_any_text_is_one_line_as_long_as_it_was(text: str) -> None:
    """No character is lost, none is invisible or moves the cursor."""
    safe = plain(text).plain
    assert len(safe) == len(text)
    assert len(safe.splitlines()) <= 1
    assert all(unicodedata.category(c)[0] != "C" for c in safe)


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0"), (10.0, "10"), (100.0, "100"), (2.5, "2,5"), (1 / 3, "0,33")]
)
def test_points_have_no_needless_zeros(value: float | None, text: str) -> None:
    """Two decimals at most, a dash where there are no points yet."""
    assert points(value) == text
