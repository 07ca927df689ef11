"""The pytest plugin of the hidden graders: `--evidence`, the `cell` marker, and how each check ended."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from autograder.engine.errors import EvidenceError, GraderError
from autograder.engine.evidence import Evidence
from autograder.engine.lesson import Measured, find_lesson
from autograder.engine.outcomes import AbsentError, SettledError, UndecidedError
from autograder.engine.report import Profile, Status
from autograder.engine.text import Lang, say, speaking
from autograder.engine.watch import Part, Setback, SetbackError, Watch


@dataclass(frozen=True)
class Verdict:
    """How one check ended. `status` is set where more than passed or failed is to be said."""

    cell: str
    name: str
    weight: float
    passed: bool | None
    message: str = ""
    status: Status | None = None


VERDICTS = pytest.StashKey[list[Verdict]]()
FAULTS = pytest.StashKey[list[GraderError]]()
WATCH = pytest.StashKey[Watch]()
MEASURED = pytest.StashKey[Measured]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--evidence`, `--lesson` and `--lang`."""
    group = parser.getgroup("splot")
    group.addoption("--evidence", type=Path, help="the evidence folder to judge")
    group.addoption("--lesson", default="", help="the lesson that it is of, package.module:NAME")
    group.addoption("--lang", choices=list(Lang), default=Lang.PL, help="language of the messages")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker and start with no verdicts."""
    config.addinivalue_line(
        "markers",
        "cell(grade_id, weight=1, pl, en, data=False): the graded cell a check belongs to, its weight, its name; "
        "data=True: on `quick` less data may be why it fails, so failing is no verdict yet",
    )
    config.stash[VERDICTS] = []
    config.stash[FAULTS] = []
    config.stash.setdefault(WATCH, Watch())


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Give the evidence under judgement, as the lesson reads it."""
    return find_lesson(request.config.getoption("--lesson")).evidence(request.config.getoption("--evidence"))


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest, evidence: Evidence) -> Measured:
    """Give what the lesson measures of the submission, once for all checks."""
    stash, lesson = request.config.stash, find_lesson(request.config.getoption("--lesson"))
    stash[MEASURED] = lesson.measure(evidence, stash[WATCH])
    return stash[MEASURED]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):  # type: ignore[no-untyped-def]
    """Make every message of a check in the language asked for, and say which cell is being judged."""
    watch, mark = item.config.stash[WATCH], item.get_closest_marker("cell")
    with speaking(Lang(item.config.getoption("--lang"))), watch.at(_cell(mark)) if mark else nullcontext():
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out the checks of a cell that has been set aside."""
    mark = item.get_closest_marker("cell")
    if mark is not None:
        item.config.stash[WATCH].require(_cell(mark))


def _cell(mark: pytest.Mark) -> Part:
    return Part(is_model=False, name=str(mark.args[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Note how each check ended."""
    mark = item.get_closest_marker("cell")
    raised = call.excinfo.value if call.excinfo else None
    if mark is None:
        item.config.stash[FAULTS].append(GraderError(f"{item.nodeid} has no `cell` marker"))
    elif raised is not None or call.when == "call":
        verdict = _verdict(item, mark, raised)
        if verdict is None:
            item.config.stash[FAULTS].append(_fault(raised, mark))
            item.session.shouldfail = "the judge broke"
        else:
            item.config.stash[VERDICTS].append(verdict)
    return (yield)


def _fault(raised: BaseException | None, mark: pytest.Mark) -> GraderError:
    """Say at which part the judge itself broke: a model that was being worked on, or the rest of the cell's checks."""
    if isinstance(raised, GraderError):
        return raised
    if isinstance(raised, Exception):
        return SetbackError(_cell(mark), Setback.from_error(raised))
    return GraderError(f"The judge was stopped: {type(raised).__name__}.")


def _verdict(item: pytest.Item, mark: pytest.Mark, raised: BaseException | None) -> Verdict | None:
    """Return how a check ended, or None where the grader itself broke."""
    cell, weight = str(mark.args[0]), float(mark.kwargs.get("weight", 1))
    name = say(pl=mark.kwargs["pl"], en=mark.kwargs["en"])
    if raised is None:
        return Verdict(cell, name, weight, passed=True)
    if isinstance(raised, UndecidedError):
        return Verdict(cell, name, weight, None, str(raised), Status.UNDECIDED)
    if isinstance(raised, EvidenceError):
        said = say(
            pl=f"Tego, co zwrócił notebook, nie da się odczytać: {raised}",
            en=f"What the notebook gave cannot be read: {raised}",
        )
        return Verdict(cell, name, weight, passed=False, message=said, status=Status.ERROR)
    if isinstance(raised, AbsentError):
        return Verdict(cell, name, weight, passed=False, message=raised.message, status=raised.status)
    if isinstance(raised, AssertionError) and raised.args:
        is_open = mark.kwargs.get("data") and not isinstance(raised, SettledError) and _on_quick(item)
        passed, status = (None, Status.UNDECIDED) if is_open else (False, None)
        return Verdict(cell, name, weight, passed, str(raised.args[0]), status)
    return None


def _on_quick(item: pytest.Item) -> bool:
    return Evidence(item.config.getoption("--evidence")).file.profile is Profile.QUICK
