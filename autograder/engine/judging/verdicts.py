"""How a hidden grader says that it cannot simply pass or fail: what it needs is absent, or cannot be measured fairly."""

from autograder.engine.evidence.reader import Evidence
from autograder.engine.evidence.records import CellRun, Failure, Fault
from autograder.engine.explain import explain, passed_limit, wants_gpu
from autograder.engine.report import Profile, Status
from autograder.engine.text import say

# What the amount of data cannot cause: such an exception on `quick` would be the same on `full`.
SIZE_INDEPENDENT = frozenset(
    {
        "AttributeError",
        "HTTPError",
        "ImportError",
        "IndentationError",
        "KeyboardInterrupt",
        "ModuleNotFoundError",
        "NameError",
        "NotImplementedError",
        "SyntaxError",
        "SystemExit",
        "TabError",
        "TypeError",
        "URLError",
        "UnboundLocalError",
    }
)


class AbsentError(Exception):
    """Something a check needs is not there; `status` says how that came."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class SettledError(AssertionError):
    """A check failed in a way that more data would not change: a missing list, percent for a fraction."""


def settled(condition: object, message: str) -> None:
    """Fail for good unless the condition holds, also in a check that is otherwise open on `quick`."""
    if not condition:
        raise SettledError(message)


class UndecidedError(Exception):
    """Something could not be measured fairly; the message is the reason, for the student and for a person to decide."""


def absent(evidence: Evidence, failure: Failure | None, what: str, *cells: str) -> Exception:
    """Say why `what` is not there, blaming the first of the solution `cells` that did not end well.

    On `quick` an exception that less data can cause is no verdict yet, nor is what follows from it in later cells.
    """
    by_cell = failure is None or failure.fault is Fault.MISSING
    run = _culprit(evidence, cells) if by_cell else None
    cause = run.failure if run else failure
    first = _first_of_size(evidence, cells) if by_cell and evidence.file.profile is Profile.QUICK else None
    if first is not None and first.failure is not None:
        return UndecidedError(explain(first.failure, first.grade_id or str(first.index + 1), what))
    if cause is None or cause.fault is Fault.MISSING:
        return AbsentError(Status.MISSING, _missing(what, cause))
    return AbsentError(_STATUS[cause.fault], explain(cause, run.grade_id if run else None, what))


_STATUS = {
    Fault.ERROR: Status.ERROR,
    Fault.MISSING: Status.MISSING,
    Fault.TIMEOUT: Status.TIMEOUT,
    Fault.MEMORY: Status.MEMORY,
    Fault.DIED: Status.ERROR,
}


def _culprit(evidence: Evidence, cells: tuple[str, ...]) -> CellRun | None:
    runs = [evidence.run(cell) for cell in cells]
    return next((run for run in runs if run is not None and run.failure is not None), None)


def _first_of_size(evidence: Evidence, cells: tuple[str, ...]) -> CellRun | None:
    """Return the first of the student's cells, up to the blamed ones, whose exception less data can cause."""
    blamed = [run.index for cell in cells if (run := evidence.run(cell)) is not None]
    for run in evidence.file.runs:
        if blamed and run.index > max(blamed):
            break
        if run.failure is not None and _may_be_size(run.failure) and not evidence.notebook.locked(run.index):
            return run
    return None


def _may_be_size(cause: Failure) -> bool:
    """Whether more data may avert it: a best model that no epoch was good enough for is None, and None fails anyhow."""
    never = cause.type in SIZE_INDEPENDENT and "NoneType" not in cause.message
    return cause.fault is Fault.ERROR and not never and not wants_gpu(cause) and passed_limit(cause) is None


def _missing(what: str, cause: Failure | None) -> str:
    found = cause.message.partition(": ")[2] if cause else ""
    if found:
        return say(
            pl=f"{what} ma typ {found}, a zadanie wymaga czegoś innego; sprawdź opis na początku notebooka.",
            en=f"{what} is of type {found}, which is not what the task asks for; see the top of the notebook.",
        )
    return say(
        pl=f"Nie znaleziono {what}: po wykonaniu notebooka ta nazwa nie istnieje. "
        "Uzupełnij komórkę z rozwiązaniem i sprawdź, czy nazwa jest napisana dokładnie tak jak w treści.",
        en=f"{what} was not found: after the notebook ran, the name does not exist. "
        "Fill in the solution cell and check that the name is spelt exactly as in the text.",
    )
