"""Tracks which part of a submission is being judged, so that a crash costs only that part's points.

A part is one of `models`, or the other work of one graded cell's checks. If the judge crashes at a part, runs out of
time or memory or broke, that part is set aside and all else is judged again (`grading/judge_process.py`).
"""

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

import msgspec

from autograder.engine.errors import EvidenceError, GraderError, out_of_memory
from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.engine.report import Report, Status
from autograder.engine.text import printable, say


class Part(msgspec.Struct, frozen=True):
    """One of `models` by its name, or a graded cell by its id."""

    is_model: bool
    name: Annotated[str, msgspec.Meta(max_length=128)]

    def __str__(self) -> str:
        return f'models["{self.name}"]' if self.is_model else self.name


class PartFailureCause(StrEnum):
    """Why a part was excluded; `_OWN_DOING` has the causes that the submission is responsible for."""

    CRASH = "crash"
    TIME = "time"
    MEMORY = "memory"
    KILLED = "killed"
    FAULT = "fault"
    BUDGET = "budget"


_OWN_DOING = {
    PartFailureCause.CRASH: Status.ERROR,
    PartFailureCause.TIME: Status.TIMEOUT,
    PartFailureCause.MEMORY: Status.MEMORY,
}

_WORSE_WITH_MORE = {PartFailureCause.TIME, PartFailureCause.MEMORY, PartFailureCause.BUDGET}


class PartFailure(msgspec.Struct, frozen=True):
    """How the judge failed at a part; `detail` is the signal, the seconds or the place in the grader's code."""

    cause: PartFailureCause
    detail: Annotated[str, msgspec.Meta(max_length=200)] = ""

    @classmethod
    def from_error(cls, error: Exception) -> Self:
        """Make the setback of an exception that is not a check's outcome."""
        if out_of_memory(error):
            return cls(PartFailureCause.MEMORY)
        last = traceback.extract_tb(error.__traceback__)[-1]
        return cls(
            PartFailureCause.FAULT, printable(f"{type(error).__name__}, {Path(last.filename).name}:{last.lineno}", 200)
        )

    def verdict(self, part: Part) -> AbsentError | UndecidedError:
        """Return what the part's checks raise: an error worth 0 if the submission caused it, else undecided."""
        what = say(
            pl=f"Modelu {part} nie można było ocenić" if part.is_model else "Tej części nie można było ocenić",
            en=f"{part} could not be judged" if part.is_model else "This part could not be judged",
        )
        if part.is_model and self.cause in _OWN_DOING:
            appeal = say(
                pl="Jeśli uważasz, że to pomyłka, napisz do osoby prowadzącej.",
                en="If you think that this is a mistake, ask your instructor.",
            )
            return AbsentError(_OWN_DOING[self.cause], f"{what}: {self.why}. {appeal}")
        decides = say(pl="Oceni to osoba prowadząca.", en="A person will judge it.")
        return UndecidedError(f"{what}: {self.why}. {decides}", more_data=self.cause not in _WORSE_WITH_MORE)

    @property
    def why(self) -> str:
        """The cause as a phrase."""
        wordings = {
            PartFailureCause.CRASH: ("program oceniający zakończył się awaryjnie ({})", "the judge crashed ({})"),
            PartFailureCause.TIME: ("trwało to dłużej niż {}", "it took more than {}"),
            PartFailureCause.MEMORY: ("zabrakło pamięci", "there was not enough memory"),
            PartFailureCause.KILLED: (
                "program oceniający został zatrzymany z zewnątrz ({})",
                "the judge was stopped ({})",
            ),
            PartFailureCause.FAULT: ("to błąd programu oceniającego ({})", "this is a fault of the judge ({})"),
            PartFailureCause.BUDGET: (
                "skończył się czas na ocenę całej pracy ({})",
                "the time for judging the whole submission was used up ({})",
            ),
        }
        pl, en = wordings[self.cause]
        return say(pl=pl, en=en).format(self.detail)


class PartFailureError(GraderError):
    """The judge failed or ran out of memory at a part."""

    def __init__(self, part: Part, part_failure: PartFailure) -> None:
        super().__init__(f"The judge could not finish {part}: {part_failure.cause} {part_failure.detail}".strip())
        self.part = part
        self.part_failure = part_failure


class PartTracker:
    """Tracks the part being judged. This base class, for judging by hand, excludes nothing and has no limits."""

    excluded: Mapping[Part, PartFailure] = {}

    def enter(self, part: Part) -> None:
        """Note that work on a part begins, perhaps inside another's."""

    def leave(self) -> None:
        """Note that work on the part ends and continues with the part around it."""

    def decided(self, report: Report) -> None:
        """Take the report; what comes after it is for pages only."""

    def require(self, part: Part) -> None:
        """Raise `AbsentError` or `UndecidedError` if a part has been excluded."""
        part_failure = self.excluded.get(part)
        if part_failure is not None:
            raise part_failure.verdict(part)

    @contextmanager
    def at(self, part: Part) -> Iterator[None]:
        """Track the part that the block works on; an exception that is no verdict becomes a `PartFailureError`."""
        self.enter(part)
        try:
            yield
        except (AbsentError, AssertionError, EvidenceError, GraderError, UndecidedError):
            raise
        except Exception as error:
            raise PartFailureError(part, PartFailure.from_error(error)) from error
        finally:
            self.leave()
