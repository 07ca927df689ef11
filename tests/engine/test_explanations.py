"""Limits by name: what an exception or an end of the process means, in the student's language."""

import pytest

from autograder.engine.evidence.records import Failure, Fault
from autograder.engine.outcomes import explain, passed_limit
from autograder.engine.text import Lang, in_language

CELL = "task2_case_2"


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ("can't start new thread", "limit procesów i wątków"),
        ("[Errno 11] Resource temporarily unavailable", "limit procesów i wątków"),
        ("[Errno 27] File too large", "limit wielkości jednego pliku"),
        ("[Errno 28] No space left on device", "limit plików tymczasowych"),
        ("[Errno 24] Too many open files: 'x'", "limit otwartych plików"),
        ("[Errno 30] Read-only file system: 'data/x'", "tylko do odczytu"),
        ("<urlopen error [Errno -3] Temporary failure in name resolution>", "nie ma dostępu do sieci"),
    ],
)
def test_the_systems_words_for_a_limit_become_its_name(message: str, named: str) -> None:
    """An exception that a limit caused names the limit and what to do, in Polish, and in English without Polish."""
    failure = Failure(Fault.ERROR, "OSError", message, 3)
    with in_language(Lang.PL):
        assert named in explain(failure, CELL, "case_2")
    with in_language(Lang.EN):
        assert named not in explain(failure, CELL, "case_2")
        assert passed_limit(failure) is not None


def test_an_ordinary_exception_is_no_limit() -> None:
    """What the student's code got wrong is not blamed on a limit."""
    assert passed_limit(Failure(Fault.ERROR, "ValueError", "shapes do not match")) is None


@pytest.mark.parametrize(
    ("failure", "named"),
    [
        (Failure(Fault.DIED, "exited", "3"), "kod wyjścia 3"),
        (Failure(Fault.DIED, "killed", "9"), "sygnał 9"),
        (Failure(Fault.DIED, "disk", "65"), "limit zapisu"),
        (Failure(Fault.DIED, "tampered", "0"), "zakłócił działanie"),
        (Failure(Fault.DIED), "zakończył się przed czasem"),
        (Failure(Fault.MEMORY, "", "4096 MB"), "zabrakło pamięci (4096 MB)"),
        (Failure(Fault.TIMEOUT, "", "300 s"), "limit czasu (300 s)"),
    ],
)
def test_what_ended_the_process_is_told_in_polish(failure: Failure, named: str) -> None:
    """Each way for a kernel to end, or to be ended, has its own Polish sentence."""
    with in_language(Lang.PL):
        assert named in explain(failure, CELL, "case_2")


def test_a_students_words_stay_on_one_line_and_command_nothing() -> None:
    """Line breaks, escape sequences and bidirectional marks in an exception's message are shown, not obeyed."""
    message = explain(Failure(Fault.ERROR, "Odd\x1b[2J", "a\nb\x1b]8;;x\x07 \u202e20/20"), CELL, "case_2")
    assert message.isprintable()
    assert "a b" in message
