"""A lesson, as far as the engine has to know it: one record that says where its parts are.

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
from autograder.engine.report import CellReport, Flag, ModelReport, Profile, Report
from autograder.engine.watch import Watch


class Measuring(Protocol):
    """What a lesson measures of one submission, once for all of its graders: their fixture `measured`."""

    def reports(self) -> dict[str, ModelReport]:
        """Return what the report says of each model."""


class _NothingMeasured:
    """What a lesson measures that has no models: its graders need the evidence alone."""

    def reports(self) -> dict[str, ModelReport]:
        """Return nothing."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """One lesson. Its functions import what they need when they are called: `splot report` must not wait for torch.

    Attributes:
        graders: the package of the hidden graders: pytest files, each with the `PROBES` it needs beside its checks.
        heavy: modules that judging needs, imported once before any submission is judged.
        threads: limits the threads that judging computes with.
        title: what the lesson is about, on pages.
        code: packages that go into the sandbox, each by where it is seen there; they import no others of the project.
        recorders: which of them answers the graders' requests (`engine/inside/bootstrap.py`).
        schema: what may come out of the sandbox.
        evidence: how the graders read it: their fixture `evidence`; raises `EvidenceError` where it is of another schema.
        dataset: names the data a submission is to be run on; raises `GraderError` where this machine lacks them.
        data: the folder of a profile's data that the sandbox sees as `./data`, if there are any.
        measure: makes the graders' fixture `measured`.
        flags: what a person should look at; changes no score.
        findings: the type of what pages show.
        look: draws them.
        flag_meaning: says in words what a flag's code means.
        beside: Markdown for the instructor beside a written answer: what was measured.
        templates: the folder of `lesson.html` with the macros `task(cell)`, `after()` and `classwide()`.
        page: what these templates use besides the report and the findings; `class_page` likewise, of a whole class.

    """

    graders: str
    code: Mapping[str, Path]
    recorders: str
    schema: Schema
    title: Callable[[], str]
    heavy: tuple[str, ...] = ()
    threads: Callable[[int], None] = lambda _count: None
    evidence: Callable[[Path], Evidence] = Evidence
    dataset: Callable[[Submission], str | None] = lambda _submission: None
    data: Callable[[Profile], Path | None] = lambda _profile: None
    measure: Callable[[Any, Watch], Measuring] = lambda _evidence, _watch: _NothingMeasured()
    flags: Callable[[Any], tuple[Flag, ...]] = lambda _measured: ()
    findings: type[Findings] = Findings
    look: Callable[[Any], Findings] = lambda _measured: Findings()
    flag_meaning: Callable[[str], str] = str
    beside: Callable[[CellReport, Report, Any], list[str]] = lambda _cell, _report, _findings: []
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
