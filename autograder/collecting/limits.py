"""The sandbox's limits as a student's code meets them: exceptions whose words are the system's."""

from autograder.evidence.records import Failure
from autograder.language import say


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
