"""JUnit XML: valid whatever a student wrote, and its counts add up."""

from xml.etree import ElementTree as ET

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.pages.junit import junit
from autograder.engine.report import CellReport, Check, Kind, Outcome, Report, Status, Timing
from tests.engine.reports import REPORT


def checks(*passed: bool | None, message: str = "wrong") -> tuple[Check, ...]:
    """Return checks that ended so."""
    return tuple(Check(f"check {i}", 1, p, "" if p else message) for i, p in enumerate(passed))


CELLS = (
    CellReport("a_tests", "A", Kind.AUTO, 4.0, 2.0, Status.PARTIAL, checks(True, False, True)),
    CellReport("b_tests", "B", Kind.AUTO, 1.0, 0.0, Status.ERROR, checks(False, False)),
    CellReport("c_tests", "C", Kind.AUTO, 1.0, None, Status.UNDECIDED, checks(None, True)),
    CellReport("d_answer", "D", Kind.MANUAL, 1.5, None, Status.MANUAL),
    CellReport("e_tests", "E", Kind.BONUS, 0.5, 0.0, Status.TIMEOUT, checks(False)),
)


def parsed(*reports: Report) -> ET.Element:
    """Return what a reader of XML makes of the reports."""
    return ET.fromstring(junit(list(reports)))  # noqa: S314 - our own document


def with_cells(*cells: CellReport) -> Report:
    """Return a report of these cells."""
    return msgspec.structs.replace(REPORT, cells=cells)


def test_wrong_is_a_failure_a_crash_an_error_and_a_persons_work_skipped() -> None:
    """Each check is a case of its cell; a cell without checks is one case."""
    found = [
        (case.get("classname"), [child.tag for child in case if child.tag != "properties"])
        for case in parsed(with_cells(*CELLS)).iter("testcase")
    ]
    assert found == [
        ("a_tests", []),
        ("a_tests", ["failure"]),
        ("a_tests", []),
        ("b_tests", ["error"]),
        ("b_tests", ["error"]),
        ("c_tests", ["skipped"]),
        ("c_tests", []),
        ("d_answer", ["skipped"]),
        ("e_tests", ["error"]),
    ]


def test_the_counts_add_up() -> None:
    """A suite a submission, its attributes what its cases are, its time the whole of it."""
    suite = parsed(with_cells(*CELLS), REPORT).findall("testsuite")[0]
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "time")}
    assert counts == {"tests": "9", "failures": "1", "errors": "3", "skipped": "2", "time": "10.000"}
    assert suite.get("name") == "anna/cnn"


def test_points_are_properties() -> None:
    """The suite's sums and each case's points and weight."""
    suite = parsed(with_cells(*CELLS)).findall("testsuite")[0]
    values = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
    assert values == {"score": "3.3", "max_score": "5", "bonus": "0.5"}
    first = {p.get("name"): p.get("value") for p in suite.findall("testcase")[0].iter("property")}
    assert first == {"points": "4", "weight": "1"}


def test_an_ungraded_submission_is_an_error_with_its_reason() -> None:
    """A build that could not grade is not green."""
    report = msgspec.structs.replace(
        REPORT, status=Outcome.UNGRADED, reason="no sandbox", cells=(), score=None, timing=Timing()
    )
    suite = parsed(report).findall("testsuite")[0]
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert [error.text for error in suite.iter("error")] == ["no sandbox"]


def test_no_text_of_a_students_breaks_out_of_its_place() -> None:
    """Markup, the end of a CDATA section, control characters and half characters stay text."""
    message = 'a]]>b</failure><testcase name="forged"/>&amp;\x00\x1b[32m\x08\ud800\uffff"\'\nend'
    cell = CellReport("a_tests", "A", Kind.AUTO, 1.0, 0.0, Status.FAILED, checks(False, message=message))
    suite = parsed(msgspec.structs.replace(with_cells(cell), student='<b>\x07"&')).findall("testsuite")[0]
    assert suite.get("name") == '<b>\ufffd"&/cnn'
    assert len(suite.findall("testcase")) == 1
    clean = 'a]]>b</failure><testcase name="forged"/>&amp;\ufffd\ufffd[32m\ufffd\ufffd\ufffd"\'\nend'
    assert [failure.text for failure in suite.iter("failure")] == [clean]
    assert [failure.get("message") for failure in suite.iter("failure")] == [clean]


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.text(st.characters(), max_size=40), st.text(st.characters(), max_size=40))
def test_any_text_gives_valid_xml(student: str, message: str) -> None:
    """Any characters in a name and a message are read back, but for those that XML cannot hold."""
    cell = CellReport("a_tests", "A", Kind.AUTO, 1.0, 0.0, Status.FAILED, checks(False, message=message or "x"))
    suite = parsed(msgspec.structs.replace(with_cells(cell), student=student)).findall("testsuite")[0]
    assert len(suite.findall("testcase/failure")) == 1
    assert len(suite.get("name") or "") == len(f"{student}/cnn")
