"""Judges stored evidence: runs the hidden graders on it and makes the report from their verdicts.

No student code runs here. The graders are plain pytest; what they raise becomes checks, cells and points. This module is
their pytest plugin as well (see their `pytest.ini`): the options `--evidence`, `--lesson` and `--lang`, the marker `cell`,
the fixtures `evidence` and `measured`, and how each check ended.
"""

import contextlib
import importlib
import io
import pkgutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest

from autograder.engine.errors import EvidenceError, GraderError, SplotError
from autograder.engine.evidence import FINDINGS_FILE, Evidence, Probe
from autograder.engine.files import PRIVATE, write_whole
from autograder.engine.lesson import Lesson, Measuring, find_lesson
from autograder.engine.notebook import Assignment, Item
from autograder.engine.outcomes import AbsentError, SettledError, UndecidedError
from autograder.engine.part_tracker import Part, PartFailure, PartFailureError, PartTracker
from autograder.engine.report import (
    NOT_EXAMINED,
    CellReport,
    Check,
    Kind,
    Outcome,
    Profile,
    Report,
    Status,
    totals,
)
from autograder.engine.text import Lang, in_language, say

UNUSED = ("debugging", "doctest", "faulthandler", "junitxml", "pastebin", "setuponly", "setupplan", "stepwise")
"""Pytest's own plugins that graders need not: each is imported, registered and called at every check."""


def judge(folder: Path, assignment: Assignment, lang: Lang = Lang.PL, watch: PartTracker | None = None) -> Report:
    """Judge one evidence folder: return its report and write its findings into the folder.

    `watch` is notified of the part being judged and gets the report before the findings. Raises `PartFailureError` if
    the judge failed at a part, `GraderError` if it failed elsewhere.
    """
    started = time.monotonic()
    lesson = find_lesson(assignment.lesson)
    session = _Session(watch or PartTracker(), lesson.evidence(folder))
    file = session.given.file  # first: malformed evidence is rejected as a whole, before single checks read it
    with in_language(lang):
        _run_graders(session, folder, assignment.lesson, lang)
        cells = tuple(_cell(item, session.verdicts, file.profile) for item in assignment.items)
        score, max_score = totals(cells, Kind.AUTO)
        bonus, max_bonus = totals(cells, Kind.BONUS)
        report = Report(
            submission=file.submission,
            student=file.student,
            assignment=file.assignment,
            profile=file.profile,
            dataset=file.dataset,
            sandbox=file.sandbox,
            memory_guard=file.memory_guard,
            status=Outcome.GRADED,
            notes=file.notes,
            score=score,
            max_score=max_score,
            bonus=bonus,
            max_bonus=max_bonus,
            needs_manual=tuple(cell.id for cell in cells if cell.score is None),
            cells=cells,
            models=session.measured.reports() if session.measured else {},
            flags=(NOT_EXAMINED,),
            versions=file.versions,
            timing=msgspec.structs.replace(file.timing, judge_s=round(time.monotonic() - started, 3)),
        )
        session.watch.decided(report)  # first: if the flags fail, the score stands
        flags = lesson.flags(session.measured) if session.measured else ()
        report = msgspec.structs.replace(report, flags=flags)
        session.watch.decided(report)
        if session.measured:
            with contextlib.suppress(SplotError):  # without findings the pages show less
                write_whole(folder / FINDINGS_FILE, msgspec.json.encode(lesson.look(session.measured)), PRIVATE)
    return report


def gather_probes(lesson: Lesson) -> dict[str, list[Probe]]:
    """Return what a lesson's hidden graders ask for, by test cell."""
    probes: dict[str, list[Probe]] = {}
    for info in pkgutil.iter_modules(importlib.import_module(lesson.graders).__path__):
        module = importlib.import_module(f"{lesson.graders}.{info.name}")
        for probe in getattr(module, "PROBES", ()):
            probes.setdefault(probe.cell, []).append(probe)
    return probes


@dataclass(frozen=True)
class Verdict:
    """The result of one check; `status` is set if it is neither passed nor failed."""

    cell: str
    name: str
    weight: float
    passed: bool | None
    message: str = ""
    status: Status | None = None
    more_data: bool = False


@dataclass(eq=False)
class _Session:
    """One run of the hidden graders: its evidence and watch, and the verdicts and faults it gave."""

    watch: PartTracker
    given: Evidence
    measured: Measuring | None = None
    verdicts: list[Verdict] = field(default_factory=list)
    faults: list[GraderError] = field(default_factory=list)

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let the plugin's functions find this object."""
        config.stash[_SESSION] = self


_SESSION = pytest.StashKey[_Session]()


def _run_graders(session: _Session, folder: Path, lesson: str, lang: Lang) -> None:
    printed = io.StringIO()
    arguments = [
        *importlib.import_module(find_lesson(lesson).graders).__path__,
        *("--evidence", str(folder), "--lesson", lesson, "--lang", str(lang)),
        *("--capture=no", "--tb=no"),
        *(word for plugin in UNUSED for word in ("-p", f"no:{plugin}")),
    ]
    with pytest.MonkeyPatch.context() as environment:  # neither this Python's other plugins nor the caller's options
        environment.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        environment.setenv("PYTEST_ADDOPTS", "")
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = pytest.main(arguments, plugins=[sys.modules[__name__], session])
    if session.faults:
        raise session.faults[0]
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise GraderError(f"A hidden grader broke on {folder}: {printed.getvalue()[-500:].strip()}")


def _cell(item: Item, verdicts: list[Verdict], profile: Profile) -> CellReport:
    mine = [verdict for verdict in verdicts if verdict.cell == item.grade_id]
    if item.kind is Kind.MANUAL:
        return CellReport(item.grade_id, item.title, item.kind, item.points, None, Status.MANUAL)
    if not mine:
        raise GraderError(f"No hidden grader checks the cell {item.grade_id}; add one or take its points away.")
    checks = tuple(Check(v.name, v.weight, v.passed, v.message, v.more_data) for v in mine)
    status = _status(mine)
    total = sum(v.weight for v in mine)
    passed = sum(v.weight for v in mine if v.passed)
    score = None if status is Status.UNDECIDED else round(item.points * passed / total, 4)
    return CellReport(item.grade_id, item.title, item.kind, item.points, score, status, checks, profile)


def _status(verdicts: list[Verdict]) -> Status:
    """Return a cell's status: undecided if any check is, else what stopped a check, else passed, partial or failed."""
    found = {verdict.status for verdict in verdicts}
    for status in (Status.UNDECIDED, Status.MEMORY, Status.TIMEOUT, Status.ERROR, Status.MISSING):
        if status in found:
            return status
    passed = [bool(verdict.passed) for verdict in verdicts]
    return Status.PASSED if all(passed) else Status.PARTIAL if any(passed) else Status.FAILED


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--evidence`, `--lesson` and `--lang`."""
    group = parser.getgroup("splot")
    group.addoption("--evidence", type=Path, help="the evidence folder to judge")
    group.addoption("--lesson", default="", help="the lesson that it is of, package.module:NAME")
    group.addoption("--lang", choices=list(Lang), default=Lang.PL, help="language of the messages")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; where the graders are run by hand, read the evidence that the options name."""
    config.addinivalue_line(
        "markers",
        "cell(grade_id, weight=1, pl, en, data=False): the graded cell a check belongs to, its weight, its name; "
        "data=True: too little data may be why it fails, so on less than all failing is no verdict yet",
    )
    if _SESSION not in config.stash and config.getoption("--evidence"):
        lesson = find_lesson(config.getoption("--lesson"))
        config.stash[_SESSION] = _Session(PartTracker(), lesson.evidence(config.getoption("--evidence")))


@pytest.fixture(scope="session")
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Return the evidence being judged, as the lesson's evidence class."""
    return request.config.stash[_SESSION].given


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Measuring:
    """Return the lesson's measurements of the submission, shared by all checks."""
    session, lesson = request.config.stash[_SESSION], find_lesson(request.config.getoption("--lesson"))
    session.measured = lesson.measure(session.given, session.watch)
    return session.measured


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item):  # type: ignore[no-untyped-def]
    """Run a check with its messages in the chosen language, and notify the watch of its cell."""
    watch, mark = item.config.stash[_SESSION].watch, item.get_closest_marker("cell")
    at = watch.at(_part(mark)) if mark else contextlib.nullcontext()
    with in_language(Lang(item.config.getoption("--lang"))), at:
        return (yield)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the checks of a cell that has been excluded."""
    mark = item.get_closest_marker("cell")
    if mark is not None:
        item.config.stash[_SESSION].watch.require(_part(mark))


def _part(mark: pytest.Mark) -> Part:
    return Part(is_model=False, name=str(mark.args[0]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Store each check's verdict."""
    session, mark = item.config.stash[_SESSION], item.get_closest_marker("cell")
    raised = call.excinfo.value if call.excinfo else None
    if mark is None:
        session.faults.append(GraderError(f"{item.nodeid} has no `cell` marker"))
    elif raised is not None or call.when == "call":
        verdict = _verdict(session, mark, raised)
        if verdict is not None:
            session.verdicts.append(verdict)
            return (yield)
        item.session.shouldfail = "the judge broke"
        if isinstance(raised, GraderError):  # it may name the model being judged
            session.faults.append(raised)
        elif isinstance(raised, Exception):
            session.faults.append(PartFailureError(_part(mark), PartFailure.from_error(raised)))
        else:
            session.faults.append(GraderError(f"The judge was stopped: {type(raised).__name__}."))
    return (yield)


def _verdict(session: _Session, mark: pytest.Mark, raised: BaseException | None) -> Verdict | None:
    """Return a check's verdict, or None if the grader itself failed."""
    cell, weight = str(mark.args[0]), float(mark.kwargs.get("weight", 1))
    name = say(pl=mark.kwargs["pl"], en=mark.kwargs["en"])
    if raised is None:
        return Verdict(cell, name, weight, passed=True)
    less = session.given.file.profile is not Profile.FULL
    if isinstance(raised, UndecidedError):
        more_data = less and raised.more_data
        return Verdict(cell, name, weight, None, str(raised), Status.UNDECIDED, more_data)
    if isinstance(raised, EvidenceError):
        unreadable = say(
            pl=f"Tego, co zwrócił notebook, nie da się odczytać: {raised}",
            en=f"What the notebook gave cannot be read: {raised}",
        )
        return Verdict(cell, name, weight, passed=False, message=unreadable, status=Status.ERROR)
    if isinstance(raised, AbsentError):
        return Verdict(cell, name, weight, passed=False, message=raised.message, status=raised.status)
    if isinstance(raised, AssertionError) and raised.args:
        may_change = bool(mark.kwargs.get("data")) and not isinstance(raised, SettledError)
        is_open = less and may_change
        passed, status = (None, Status.UNDECIDED) if is_open else (False, None)
        return Verdict(cell, name, weight, passed, str(raised.args[0]), status, is_open)
    return None
