"""`Lesson`, the engine's interface to a lesson: one record of its packages, functions and templates.

The instructor's notebook names the record in `metadata.splot.lesson`, as "package.module:NAME".
"""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from autograder.engine.errors import GraderError
from autograder.engine.evidence import Evidence, Findings, Schema
from autograder.engine.notebook import Submission
from autograder.engine.part_tracker import PartTracker
from autograder.engine.report import CellReport, Flag, ModelReport, Profile, Report


class Measuring(Protocol):
    """A lesson's measurements of one submission, shared by its graders as the fixture `measured`."""

    def reports(self) -> dict[str, ModelReport]:
        """Return the `ModelReport` of each model."""


class _NothingMeasured:
    """The measurements of a lesson without models: none."""

    def reports(self) -> dict[str, ModelReport]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One lesson. Its functions import what they need when they are called: `splot report` must not wait for torch.

    Attributes:
        graders: the package of the hidden graders: pytest files, each with the `PROBES` it needs beside its checks.
        heavy: modules to preload: they are imported once, before any submission is judged.
        threads: function that sets the number of threads used in judging.
        prepare: function that does once, before any submission is judged, what each would do by itself; it may start no
            thread.
        title: the lesson's title on pages.
        sources: folders of source on which verdicts depend, besides the engine, the lesson's own and its graders.
        code: packages copied into the sandbox, by their path there; they import nothing else of the project.
        recorders: name of the package in `code` that answers requests (`engine/inside/bootstrap.py`).
        imports: modules that its notebooks import; a kernel does so while it waits for another notebook to end.
        schema: what may come out of the sandbox.
        evidence: opens an evidence folder for the fixture `evidence`; raises `EvidenceError` for another schema.
        dataset: returns the data set of a submission; raises `GraderError` if it is not on this machine.
        data: returns the folder that a profile binds at `./data` in the sandbox, or None.
        measure: makes the measurements for the fixture `measured`.
        flags: returns the flags for a person to look at; they change no score.
        findings: the type of the lesson's findings.
        look: makes the findings from the measurements.
        join: joins the findings of a run with those of a later one on more data, which may have ended early.
        flag_meaning: returns the explanation of a flag's code.
        beside: returns Markdown with measurements, shown to the instructor next to a written answer.
        templates: the folder of `lesson.html` with the macros `task(cell)`, `after()` and `classwide()`.
        page: returns further variables for these templates; `class_page` does so for the class page.

    """

    graders: str
    code: Mapping[str, Path]
    recorders: str
    schema: Schema
    title: Callable[[], str]
    heavy: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()
    imports: tuple[str, ...] = ()
    threads: Callable[[int], None] = lambda _count: None
    prepare: Callable[[], None] = lambda: None
    evidence: Callable[[Path], Evidence] = Evidence
    dataset: Callable[[Submission], str | None] = lambda _submission: None
    data: Callable[[Profile], Path | None] = lambda _profile: None
    measure: Callable[[Any, PartTracker], Measuring] = lambda _evidence, _watch: _NothingMeasured()
    flags: Callable[[Any], tuple[Flag, ...]] = lambda _measured: ()
    findings: type[Findings] = Findings
    look: Callable[[Any], Findings] = lambda _measured: Findings()
    join: Callable[[Any, Any], Findings] = lambda _before, after: after
    flag_meaning: Callable[[str], str] = str
    marking_notes: Callable[[CellReport, Report, Any], list[str]] = lambda _cell, _report, _findings: []
    templates: Path | None = None
    page: Callable[[Any], Mapping[str, Any]] = lambda _findings: {}
    class_page: Callable[[list[Any]], Mapping[str, Any]] = lambda _of_all: {}


def find_lesson(name: str) -> Lesson:
    """Return the lesson of this name; raises `GraderError` where it cannot be imported or is none."""
    try:
        lesson = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise GraderError(f"The lesson {name!r} cannot be imported ({error}); see metadata.splot.lesson.") from error
    if not isinstance(lesson, Lesson):
        raise GraderError(f"{name} is no lesson but of type {type(lesson).__name__}; see metadata.splot.lesson.")
    return lesson
