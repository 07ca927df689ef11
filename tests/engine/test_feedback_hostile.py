"""The feedback page bears whatever a notebook holds: any text, any history."""

import math
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autograder.engine.notebook.assignment import Assignment, load_assignment
from autograder.engine.pages.charts import panel
from autograder.engine.pages.feedback import Mark, feedback
from autograder.engine.pages.page import sanitize
from autograder.engine.text import Lang
from tests.engine.graded_pages import anatomy, findings_saying, leave, report_saying


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """The instructor's notebook."""
    return load_assignment()


NASTY = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg onload=alert(1)>",
    "</title></style></textarea><iframe src=javascript:alert(1)>",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;script&gt;&#60;b&#62;",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "\u202egnp.exe\u2066x\u2069",
    "\x1b[31m\x00\x08\r\u2028",
    "a" + "\u0301" * 500,
    "x" * 100_000,
    "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("text", NASTY)
def test_a_students_text_is_text(text: str, tmp_path: Path, assignment: Assignment) -> None:
    """In a name, a title, a message, a note, a comment or a layer, it adds no tag, attribute or address to the page."""
    plain = _page_saying("plain", tmp_path / "a", assignment)
    nasty = _page_saying(text, tmp_path / "b", assignment)
    assert anatomy(nasty).tags == anatomy(plain).tags
    assert anatomy(nasty).names == anatomy(plain).names
    assert anatomy(nasty).addresses == anatomy(plain).addresses
    assert len(nasty) < 200_000
    assert not {"\u202e", "\u2066", "\x1b", "\x00", "\x08", "\r", "\u2028"} & set(nasty)


def _page_saying(text: str, folder: Path, assignment: Assignment) -> str:
    marks = {"task1_convolution_tests": Mark(1, 2, text or "-")}
    findings = findings_saying(text.encode(errors="replace").decode())
    return feedback(leave(folder, report_saying(text), findings), assignment, Lang.PL, marks)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=80))
def test_any_text_is_shown_harmlessly(text: str) -> None:
    """Line breaks stay; no other character commands, hides or turns around; no letter carries a pile of accents."""
    shown = sanitize(text)
    assert shown.count("\n") == len(re.findall(r"\r\n|\r|\n", text))
    assert sanitize(shown) == shown
    assert re.search("[\u0300-\u036f]{4}", shown) is None


VALUES = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -5.0, 1e-300, 1e300, -1e308, 2.3]))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.lists(st.lists(VALUES, max_size=6), max_size=4))
@example([[2.3, None, 1e300], [-5.0, -5.0], [1.0], [], [None, None]])
@example([[1e308, -1e308]])
@example([[math.inf, -math.inf, math.nan]])
def test_learning_curves_bear_any_history(curves: list[list[float | None]]) -> None:
    """One epoch, none, gaps, a loss that explodes: all that is finite is drawn, within its frame, on axes that rise."""
    named = {str(number): curve for number, curve in enumerate(curves)}
    drawn = panel("loss", named, dict.fromkeys(named, 0))
    finite = [value for curve in curves for value in curve if value is not None and math.isfinite(value)]
    if drawn is None:
        assert finite == []
        return
    points = [point for series in drawn.series for point in re.findall(r"[ML]([-\d.e+]+) ([-\d.e+]+)", series.line)]
    assert len(points) == len(finite)
    assert all(0 <= float(x) <= drawn.width and 0 <= float(y) <= drawn.height for x, y in points)
    labels = [tick.value for tick in drawn.y]
    assert labels == sorted(set(labels))
    assert len(labels) <= 8
