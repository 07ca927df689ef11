"""Judge stored evidence: run the hidden graders on it and put their verdicts into a report.

No student code runs here. The graders are plain pytest; what they raise becomes checks, cells and points.
"""

import contextlib
import importlib
import io
import os
import pkgutil
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from autograder.engine.errors import GraderError, SplotError
from autograder.engine.evidence import FINDINGS_FILE, EvidenceFile, Probe
from autograder.engine.files import PRIVATE, write_whole
from autograder.engine.judging import plugin
from autograder.engine.judging.plugin import FAULTS, MEASURED, VERDICTS, WATCH, Verdict
from autograder.engine.lesson import Lesson, find_lesson
from autograder.engine.notebook import Assignment, Item
from autograder.engine.report import (
    NOT_EXAMINED,
    CellReport,
    Check,
    Flag,
    Kind,
    ModelReport,
    Outcome,
    Report,
    Status,
    Timing,
    totals,
)
from autograder.engine.text import Lang, speaking
from autograder.engine.watch import Watch


def judge(folder: Path, assignment: Assignment, lang: Lang = Lang.PL, watch: Watch | None = None) -> Report:
    """Return the report of one evidence folder, and leave its findings there.

    `watch` is told what is being judged, and given the report before the findings are drawn. Raises `SetbackError` where
    the judge broke at a part, `GraderError` where it broke elsewhere.
    """
    started = time.monotonic()
    watch = watch or Watch()
    lesson = find_lesson(assignment.lesson)
    file = lesson.evidence(folder).file  # first: evidence of another form is refused, whatever single checks need of it
    with speaking(lang):
        config = _run_graders(folder, assignment.lesson, lang, watch)
        cells = tuple(_cell(item, config.stash[VERDICTS]) for item in assignment.items)
        models = _models(config)
        timing = msgspec.structs.replace(file.timing, judge_s=round(time.monotonic() - started, 3))
        report = _report(file, cells, models, timing)
        watch.decided(report)  # first: whatever becomes of the flags, no score hangs on them
        report = msgspec.structs.replace(report, flags=_flags(config, lesson))
        watch.decided(report)
        _leave_findings(config, lesson, folder)
    return report


def gather_probes(lesson: Lesson) -> dict[str, list[Probe]]:
    """Return what a lesson's hidden graders ask for, by test cell."""
    probes: dict[str, list[Probe]] = {}
    for info in pkgutil.iter_modules(importlib.import_module(lesson.graders).__path__):
        module = importlib.import_module(f"{lesson.graders}.{info.name}")
        for probe in getattr(module, "PROBES", ()):
            probes.setdefault(probe.cell, []).append(probe)
    return probes


class _Session:
    """Keeps pytest's configuration, where the plugin finds the watch and leaves the verdicts."""

    config: pytest.Config

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def pytest_configure(self, config: pytest.Config) -> None:
        self.config = config
        config.stash[WATCH] = self.watch


def _run_graders(folder: Path, lesson: str, lang: Lang, watch: Watch) -> pytest.Config:
    session = _Session(watch)
    said = io.StringIO()
    arguments = [
        *importlib.import_module(find_lesson(lesson).graders).__path__,
        "--evidence",
        str(folder),
        "--lesson",
        lesson,
        "--lang",
        str(lang),
        "--capture=no",
        "--tb=no",
        "-p",
        "no:faulthandler",
    ]
    with _quiet_pytest(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main(arguments, plugins=[plugin, session])
    faults = session.config.stash[FAULTS] if hasattr(session, "config") else []
    if faults:
        raise faults[0]
    if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
        raise GraderError(f"A hidden grader broke on {folder}: {said.getvalue()[-500:].strip()}")
    return session.config


@contextlib.contextmanager
def _quiet_pytest() -> Iterator[None]:
    """Keep other plugins of this Python, and whatever options the caller's environment sets, out of the judge."""
    ours = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _cell(item: Item, verdicts: list[Verdict]) -> CellReport:
    mine = [verdict for verdict in verdicts if verdict.cell == item.grade_id]
    if item.kind is Kind.MANUAL:
        return CellReport(item.grade_id, item.title, item.kind, item.points, None, Status.MANUAL)
    if not mine:
        raise GraderError(f"No hidden grader checks the cell {item.grade_id}; add one or take its points away.")
    checks = tuple(Check(v.name, v.weight, v.passed, v.message) for v in mine)
    status = _status(mine)
    total = sum(v.weight for v in mine)
    passed = sum(v.weight for v in mine if v.passed)
    score = None if status is Status.UNDECIDED else round(item.points * passed / total, 4)
    return CellReport(item.grade_id, item.title, item.kind, item.points, score, status, checks)


def _status(verdicts: list[Verdict]) -> Status:
    """Undecided before anything: no points are final while a check is open. Then what stopped a check, then the sum."""
    said = [verdict.status for verdict in verdicts if verdict.status is not None]
    for status in (Status.UNDECIDED, Status.MEMORY, Status.TIMEOUT, Status.ERROR, Status.MISSING):
        if status in said:
            return status
    passed = [bool(verdict.passed) for verdict in verdicts]
    return Status.PASSED if all(passed) else Status.PARTIAL if any(passed) else Status.FAILED


def _models(config: pytest.Config) -> dict[str, ModelReport]:
    measured = config.stash.get(MEASURED, None)
    return measured.reports() if measured else {}


def _flags(config: pytest.Config, lesson: Lesson) -> tuple[Flag, ...]:
    measured = config.stash.get(MEASURED, None)
    return lesson.flags(measured) if measured else ()


def _leave_findings(config: pytest.Config, lesson: Lesson, folder: Path) -> None:
    """Leave beside the evidence what pages will show of it; where that cannot be written, they show less."""
    measured = config.stash.get(MEASURED, None)
    if measured is not None:
        with contextlib.suppress(SplotError):
            write_whole(folder / FINDINGS_FILE, msgspec.json.encode(lesson.look(measured)), PRIVATE)


def _report(
    file: EvidenceFile, cells: tuple[CellReport, ...], models: dict[str, ModelReport], timing: Timing
) -> Report:
    score, max_score = totals(cells, Kind.AUTO)
    bonus, max_bonus = totals(cells, Kind.BONUS)
    return Report(
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
        models=models,
        flags=(NOT_EXAMINED,),
        versions=file.versions,
        timing=timing,
    )
