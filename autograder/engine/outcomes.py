"""Outcomes of a check besides pass and fail (absent, settled, undecided), and the message that explains each."""

from autograder.engine.evidence import CellRun, Evidence, Failure, Fault
from autograder.engine.report import Profile, Status
from autograder.engine.text import printable, say

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
    """Something that a check needs is missing; `status` says why."""

    def __init__(self, status: Status, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class SettledError(AssertionError):
    """A check failed in a way that more data would not change: a missing list, percent for a fraction."""


def settled(condition: object, message: str) -> None:
    """Fail for good unless the condition holds, also in a check that is otherwise open on less than all data."""
    if not condition:
        raise SettledError(message)


class UndecidedError(Exception):
    """Something could not be measured fairly; the message is the reason, for the student and for a person to decide.

    `more_data` says that a run on more data may decide it.
    """

    def __init__(self, message: str, *, more_data: bool = False) -> None:
        super().__init__(message)
        self.more_data = more_data


_STATUS = {
    Fault.ERROR: Status.ERROR,
    Fault.MISSING: Status.MISSING,
    Fault.TIMEOUT: Status.TIMEOUT,
    Fault.MEMORY: Status.MEMORY,
    Fault.DIED: Status.ERROR,
}


def absent(evidence: Evidence, failure: Failure | None, what: str, *cells: str) -> Exception:
    """Return the exception that explains why `what` is missing, naming the first of `cells` that failed.

    On less than all data an exception that this can cause is no verdict yet, nor is what follows from it in later cells.
    """
    run, cause = None, failure
    if failure is None or failure.fault is Fault.MISSING:
        if evidence.file.profile is not Profile.FULL and (first := _first_of_size(evidence, cells)) is not None:
            run, size = first
            return UndecidedError(explain(size, run.grade_id or str(run.index + 1), what), more_data=True)
        runs = [evidence.run(cell) for cell in cells]
        run = next((run for run in runs if run is not None and run.failure is not None), None)
        cause = run.failure if run else failure
    if cause is None or cause.fault is Fault.MISSING:
        return AbsentError(Status.MISSING, _missing(what, cause))
    return AbsentError(_STATUS[cause.fault], explain(cause, run.grade_id if run else None, what))


def is_cut_short(evidence: Evidence, *cells: str) -> bool:
    """Whether a cell of the student's, before these if any are given, ended in an exception that less data can cause."""
    return _first_of_size(evidence, cells) is not None


def _first_of_size(evidence: Evidence, cells: tuple[str, ...]) -> tuple[CellRun, Failure] | None:
    """Return the first of the student's cells, up to the blamed ones, whose exception less data can cause."""
    blamed = [run.index for cell in cells if (run := evidence.run(cell)) is not None]
    for run in evidence.file.runs:
        if blamed and run.index > max(blamed):
            break
        if run.failure is not None and _may_be_size(run.failure) and not evidence.notebook.locked(run.index):
            return run, run.failure
    return None


def _may_be_size(cause: Failure) -> bool:
    """Whether more data may prevent this exception; a best model may be None because no epoch was good enough."""
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


def passed_limit(failure: Failure) -> str | None:
    """Name the sandbox's limit behind an exception, recognised by the system's message for it."""
    limits = {
        ("can't start new thread", "Resource temporarily unavailable"): say(
            pl="To limit procesów i wątków podczas oceniania: uruchamiaj ich mniej i czekaj, aż się zakończą.",
            en="This is grading's limit on processes and threads: start fewer, and wait for them to end.",
        ),
        ("File too large",): say(
            pl="To limit wielkości jednego pliku podczas oceniania: zapisuj mniejsze pliki.",
            en="This is grading's limit on the size of one file: write smaller files.",
        ),
        ("No space left on device",): say(
            pl="To limit plików tymczasowych podczas oceniania: usuwaj pliki, które nie są już potrzebne.",
            en="This is grading's limit on temporary files: delete those no longer needed.",
        ),
        ("Too many open files",): say(
            pl="To limit otwartych plików podczas oceniania: zamykaj każdy po użyciu (with open(...)).",
            en="This is grading's limit on open files: close them (with open(...)).",
        ),
        ("Temporary failure in name resolution", "Network is unreachable", "Connection refused"): say(
            pl="Podczas oceniania nie ma dostępu do sieci; dane są w folderze ./data.",
            en="There is no network while grading; the data are in the folder ./data.",
        ),
        ("Read-only file system",): say(
            pl="Ten folder jest tylko do odczytu: zapisuj w bieżącym folderze.",
            en="This folder is read-only: write to the current folder.",
        ),
    }
    return next((name for texts, name in limits.items() if any(text in failure.message for text in texts)), None)


AVAILABLE = "torch, torchvision, torchinfo, torchmetrics, numpy, scipy, pandas, sklearn, matplotlib, seaborn, tqdm, PIL"


def explain(failure: Failure, cell: str | None, what: str) -> str:
    """Explain why `what` could not be judged; `cell` is where it went wrong, if that is known.

    The exception's own message stays on one line: it is the student's, and must not look like ours.
    """
    line = say(pl=f", linia {failure.line}", en=f", line {failure.line}") if failure.line else ""
    if cell:
        place = say(pl=f"Komórka {cell}{line}", en=f"Cell {cell}{line}")
    else:
        place = say(pl=f"Sprawdzanie: {what}{line}", en=f"Checking {what}{line}")
    if failure.fault is Fault.ERROR:
        message = f"{failure.type}: {failure.message}" if failure.message else failure.type
        return f"{place} — {printable(' '.join(message.split()))}. {_advice(failure)}"
    if failure.fault is Fault.TIMEOUT:
        return say(
            pl=f"{place} — przekroczono limit czasu ({failure.message}). Sprawdź, czy pętla się kończy, "
            "albo zmniejsz liczbę epok.",
            en=f"{place} — the time limit passed ({failure.message}). Check that the loop ends, or train fewer epochs.",
        )
    if failure.fault is Fault.MEMORY:
        return say(
            pl=f"{place} — zabrakło pamięci ({failure.message}). Zmniejsz tablice lub batch.",
            en=f"{place} — out of memory ({failure.message}). Use smaller arrays or batches.",
        )
    return f"{place} — {_ended(failure)}"


def wants_gpu(failure: Failure) -> bool:
    """Whether the code asked for a GPU where there is none."""
    return "CUDA" in failure.message or "NVIDIA" in failure.message


def _advice(failure: Failure) -> str:
    if failure.type in {"ModuleNotFoundError", "ImportError"}:
        return say(
            pl=f"Podczas oceniania dostępne są: {AVAILABLE}.",
            en=f"The grading environment has: {AVAILABLE}.",
        )
    if wants_gpu(failure):
        return say(
            pl="Ocena odbywa się na komputerze bez GPU: zamiast .cuda() użyj .to(DEVICE).",
            en="Grading runs on a machine without a GPU: use .to(DEVICE) instead of .cuda().",
        )
    if failure.type == "NameError":
        return say(
            pl="Uruchom notebook od początku (Restart & Run All): w tym miejscu ta nazwa nie jest jeszcze zdefiniowana.",
            en="Run the notebook from the top (Restart & Run All): the name is not defined yet at this point.",
        )
    if (passed := passed_limit(failure)) is not None:
        return passed
    return say(
        pl="Uruchom notebook od początku (Restart & Run All) i popraw tę komórkę.",
        en="Run the notebook from the top (Restart & Run All) and mend this cell.",
    )


def _ended(failure: Failure) -> str:
    """Return what ended the notebook's process; `failure.type` is the watchdog's cause, if known."""
    if failure.type == "disk":
        return say(
            pl="przekroczono limit zapisu (łączna wielkość albo liczba plików), więc notebook został zatrzymany. "
            "Nie zapisuj na dysk tego, co mieści się w pamięci.",
            en="the limit on what may be written (bytes or number of files) was passed, so the notebook was stopped. "
            "Keep in memory what fits there.",
        )
    if failure.type in {"tampered", "nonsense"}:
        return say(
            pl="notebook zakłócił działanie programu, który go uruchamia, więc został zatrzymany. "
            "Usuń kod, który zmienia działanie Jupytera.",
            en="the notebook interfered with the program that runs it, so it was stopped. "
            "Remove code that changes how Jupyter works.",
        )
    status = {
        "exited": say(pl=f" (kod wyjścia {failure.message})", en=f" (exit status {failure.message})"),
        "killed": say(pl=f" (sygnał {failure.message})", en=f" (signal {failure.message})"),
    }
    return say(
        pl=f"proces notebooka zakończył się przed czasem{status.get(failure.type, '')}. "
        "Usuń wywołania, które kończą interpreter, np. os._exit().",
        en=f"the notebook's process ended midway{status.get(failure.type, '')}. "
        "Remove calls that end the interpreter, such as os._exit().",
    )
