"""Say what a student's exception or a limit means, in a sentence or two, with the place and the next thing to try."""

from autograder.engine.evidence.records import Failure, Fault
from autograder.engine.text import printable, say


def passed_limit(failure: Failure) -> str | None:
    """Name the sandbox's limit behind an exception, told by the system's own words for it."""
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
    return next((said for words, said in limits.items() if any(word in failure.message for word in words)), None)


AVAILABLE = "torch, torchvision, torchinfo, torchmetrics, numpy, scipy, pandas, sklearn, matplotlib, seaborn, tqdm, PIL"


def explain(failure: Failure, cell: str | None, what: str) -> str:
    """Explain why `what` could not be judged; `cell` is where it went wrong, if that is known.

    The exception's own words stay on one line: they are the student's, and must not look like ours.
    """
    place = _place(failure, cell, what)
    if failure.fault is Fault.ERROR:
        return _exception(failure, place)
    return _limit(failure, place)


def _place(failure: Failure, cell: str | None, what: str) -> str:
    line = say(pl=f", linia {failure.line}", en=f", line {failure.line}") if failure.line else ""
    if cell:
        return say(pl=f"Komórka {cell}{line}", en=f"Cell {cell}{line}")
    return say(pl=f"Sprawdzanie: {what}{line}", en=f"Checking {what}{line}")


def _exception(failure: Failure, place: str) -> str:
    words = f"{failure.type}: {failure.message}" if failure.message else failure.type
    said = printable(" ".join(words.split()))
    return f"{place} — {said}. {_advice(failure)}"


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


def _limit(failure: Failure, place: str) -> str:
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


def _ended(failure: Failure) -> str:
    """Say what ended the notebook's process; `failure.type` is the watchdog's cause, if that is known."""
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
