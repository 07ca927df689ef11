"""Why something a check needs is absent: the status, the message, and what `quick` leaves open."""

import json
from pathlib import Path

import pytest

from autograder.engine.evidence.records import CellRun, Failure, Fault
from autograder.engine.outcomes import (
    AVAILABLE,
    AbsentError,
    SettledError,
    UndecidedError,
    absent,
    explain,
    is_cut_short,
    settled,
)
from autograder.engine.report import Profile, Status
from autograder.engine.text import Lang, in_language
from autograder.lesson.observations import LessonEvidence
from tests.evidence import evidence_file, write_evidence_file

SOLUTION, TESTS = "task3_baseline", "task3_training_tests"
CELLS: list[tuple[str | None, bool]] = [("task3_helpers", True), (None, False), (SOLUTION, False), (TESTS, True)]
SIZE = Failure(Fault.ERROR, "ValueError", "Sum of input lengths does not equal the length of the input dataset!", 3)
NAME = Failure(Fault.ERROR, "NameError", "name 'trainset' is not defined", 1)


def why(
    folder: Path,
    failure: Failure | None = None,
    *,
    ended: dict[int, Failure] | None = None,
    profile: Profile = Profile.FULL,
) -> Exception:
    """Say why `models["baseline"]` is absent where these cells, by number from 0, ended so."""
    runs = tuple(CellRun(i, name, 0.0, (ended or {}).get(i)) for i, (name, _) in enumerate(CELLS))
    cells = [
        {"cell_type": "code", "source": "", "outputs": [], "metadata": {"grade_id": n, "locked": lock} if n else {}}
        for n, lock in CELLS
    ]
    (folder / "notebook.ipynb").write_text(json.dumps({"cells": cells}))
    write_evidence_file(evidence_file(profile=profile, runs=runs), folder)
    with in_language(Lang.EN):
        return absent(LessonEvidence(folder), failure, 'models["baseline"]', SOLUTION)


def status(error: Exception) -> Status:
    """Return the status of an absence that is final."""
    assert isinstance(error, AbsentError)
    return error.status


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.ERROR, Status.ERROR),
        (Fault.MISSING, Status.MISSING),
        (Fault.TIMEOUT, Status.TIMEOUT),
        (Fault.MEMORY, Status.MEMORY),
        (Fault.DIED, Status.ERROR),
    ],
)
@pytest.mark.parametrize("profile", [Profile.QUICK, Profile.FULL])
def test_a_probes_failure_has_its_status(tmp_path: Path, fault: Fault, expected: Status, profile: Profile) -> None:
    """An exception, a missing name, a limit, a dead process: each its own status, on either profile."""
    assert status(why(tmp_path, Failure(fault, "E", "m"), profile=profile)) is expected


@pytest.mark.parametrize(
    ("fault", "expected"), [(Fault.ERROR, Status.ERROR), (Fault.TIMEOUT, Status.TIMEOUT), (Fault.MEMORY, Status.MEMORY)]
)
def test_a_missing_name_is_blamed_on_the_solution_that_failed(tmp_path: Path, fault: Fault, expected: Status) -> None:
    """What never came to be because its cell stopped has that cell's status, and its line in the message."""
    for failure in (None, Failure(Fault.MISSING, "MissingNameError", "baseline")):
        error = why(tmp_path, failure, ended={2: Failure(fault, "ValueError", "boom", 7)})
        assert status(error) is expected
        assert str(error).startswith(f"Cell {SOLUTION}, line 7 — ")


def test_an_absence_without_a_cause_is_missing(tmp_path: Path) -> None:
    """The message names what is missing; where another type stands in its place, that type."""
    assert status(why(tmp_path)) is Status.MISSING
    assert 'models["baseline"] was not found' in str(why(tmp_path))
    other = why(tmp_path, Failure(Fault.MISSING, "MissingNameError", "models: list"))
    assert status(other) is Status.MISSING
    assert "is of type list" in str(other)


@pytest.mark.parametrize(
    "failure",
    [
        SIZE,
        Failure(Fault.ERROR, "IndexError", "index 59999 is out of bounds"),
        Failure(Fault.ERROR, "RuntimeError", "shape '[60000, 784]' is invalid"),
        Failure(Fault.ERROR, "AssertionError", ""),
        Failure(Fault.ERROR, "TypeError", "Expected state_dict to be dict-like, got <class 'NoneType'>."),
        Failure(Fault.ERROR, "AttributeError", "'NoneType' object has no attribute 'items'"),
    ],
)
def test_what_less_data_can_cause_is_open_on_quick(tmp_path: Path, failure: Failure) -> None:
    """Sizes written into the code, a best model that never was good enough: no verdict on quick, one on full."""
    assert isinstance(why(tmp_path, ended={2: failure}, profile=Profile.QUICK), UndecidedError)
    assert status(why(tmp_path, ended={2: failure}, profile=Profile.FULL)) is Status.ERROR


@pytest.mark.parametrize(
    "failure",
    [
        NAME,
        Failure(Fault.ERROR, "SyntaxError", "invalid syntax"),
        Failure(Fault.ERROR, "ModuleNotFoundError", "No module named 'lightning'"),
        Failure(Fault.ERROR, "TypeError", "forward() takes 1 positional argument but 2 were given"),
        Failure(Fault.ERROR, "RuntimeError", "Found no NVIDIA driver on your system"),
        Failure(Fault.TIMEOUT, "", "300 s"),
        Failure(Fault.MEMORY, "", "4096 MB"),
        Failure(Fault.DIED, "", ""),
    ],
)
def test_what_more_data_would_not_avert_is_final_on_quick(tmp_path: Path, failure: Failure) -> None:
    """Names never defined, syntax, missing modules and GPUs, limits: no second run for them."""
    assert isinstance(why(tmp_path, ended={2: failure}, profile=Profile.QUICK), AbsentError)


def test_what_follows_from_less_data_is_open_too(tmp_path: Path) -> None:
    """`random_split` by 60,000 in the data cell leaves a later NameError open, and is itself the one that is named."""
    error = why(tmp_path, ended={1: SIZE, 2: NAME}, profile=Profile.QUICK)
    assert isinstance(error, UndecidedError)
    assert str(error).startswith("Cell 2, line 3 — ValueError: Sum of input lengths")
    assert status(why(tmp_path, ended={1: SIZE, 2: NAME})) is Status.ERROR


def test_only_the_students_own_cells_before_a_test_can_cut_it_short(tmp_path: Path) -> None:
    """An exception that little data can cause in a cell up to the test; not one in the test itself, nor a NameError."""
    for ended, cut in (
        ({2: SIZE}, True),
        ({1: SIZE, 2: NAME}, True),
        ({2: NAME}, False),
        ({3: SIZE}, False),
        ({}, False),
    ):
        why(tmp_path, ended=ended, profile=Profile.QUICK)
        assert is_cut_short(LessonEvidence(tmp_path), TESTS) is cut


def test_a_failing_visible_test_opens_nothing(tmp_path: Path) -> None:
    """The instructor's own test cells raise where an answer is wrong: that is no exception of the student's."""
    failed = Failure(Fault.ERROR, "AssertionError", "")
    for ended in ({0: failed, 2: NAME}, {3: failed, 2: NAME}, {3: failed}):
        assert isinstance(why(tmp_path, ended=ended, profile=Profile.QUICK), AbsentError)


def test_a_settled_condition_fails_for_good() -> None:
    """It raises only where it does not hold, and is a failed check like any other."""
    settled([1], "fine")
    with pytest.raises(SettledError, match="no list"):
        settled([], "no list")
    assert issubclass(SettledError, AssertionError)


@pytest.mark.parametrize(
    ("failure", "advice"),
    [
        (Failure(Fault.ERROR, "ModuleNotFoundError", "No module named 'x'"), AVAILABLE),
        (
            Failure(Fault.ERROR, "AssertionError", "Torch not compiled with CUDA enabled"),
            ".to(DEVICE) instead of .cuda()",
        ),
        (Failure(Fault.ERROR, "NameError", "name 'X' is not defined"), "the name is not defined yet"),
        (Failure(Fault.ERROR, "ValueError", ""), "Cell c — ValueError. Run the notebook from the top"),
        (Failure(Fault.TIMEOUT, "", "300 s"), "the time limit passed (300 s)"),
        (Failure(Fault.MEMORY, "", "4096 MB"), "out of memory (4096 MB)"),
        (Failure(Fault.DIED, "exited", "3"), "the notebook's process ended midway (exit status 3)"),
    ],
)
def test_every_way_to_fail_comes_with_what_to_do(failure: Failure, advice: str) -> None:
    """The place, the cause in the student's terms, the next thing to try."""
    with in_language(Lang.EN):
        assert advice in explain(failure, "c", "what")
    assert explain(failure, "c", "what").startswith("Komórka c — ")


def test_a_death_without_a_reason_shows_no_empty_brackets() -> None:
    """What is not known is not mentioned."""
    assert " ()" not in explain(Failure(Fault.DIED), "c", "what")


def test_where_no_cell_is_known_what_was_checked_is_named() -> None:
    """A call that failed names the function and the line it failed in."""
    failure = Failure(Fault.ERROR, "IndexError", "out of range", 4)
    assert explain(failure, None, "convolution(X, K, q)").startswith("Sprawdzanie: convolution(X, K, q), linia 4 — ")


def test_an_exceptions_own_words_stay_on_one_line() -> None:
    """Line breaks in a student's message cannot begin a line of the report."""
    message = explain(Failure(Fault.ERROR, "Odd\nError", "a\n\n  b\r\nc\u2028d"), "c", "what")
    assert message.startswith("Komórka c — Odd Error: a b c d. ")
    assert len(message.splitlines()) == 1
