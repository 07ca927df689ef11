"""Prove that a release is right: it regenerates, it hides the solutions, the source earns all points and the release none."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.cli.release import is_current, leftovers
from autograder.engine.grading import Grading, grade
from autograder.engine.notebook import load_assignment
from autograder.engine.report import Kind, Profile, Report


@dataclass(frozen=True)
class Claim:
    """One thing that must be true of a release, and whether it is."""

    text: str
    holds: bool


def prove(course: Path, name: str, *, run: bool = True) -> Iterator[Claim]:
    """Yield the claims one by one; with `run` both notebooks are graded on `quick`, which takes minutes."""
    source, release = (course / folder / name / f"{name}.ipynb" for folder in ("source", "release"))
    yield Claim("The release regenerates byte for byte.", is_current(course, name))
    left = leftovers(source, release)
    yield Claim(f"No line of a solution is left in it{': ' + left[0] if left else ''}.", not left)
    if run:
        yield _scores(course, name, release, wanted=0.0)
        yield _scores(course, name, source, wanted=1.0)


def _scores(course: Path, name: str, notebook: Path, wanted: float) -> Claim:
    """Grade a notebook and compare its score and bonus with a fraction of what there is to earn by machine."""
    assignment = load_assignment(name, course)
    with tempfile.TemporaryDirectory(prefix="splot-proof-") as out:
        report = grade(notebook, assignment, Grading(out=Path(out), profile=Profile.QUICK))
    points, bonus = (sum(i.points for i in assignment.items if i.kind is kind) for kind in (Kind.AUTO, Kind.BONUS))
    said = f"{_said(report.score)} of {points:g}, bonus {_said(report.bonus)} of {bonus:g}"
    holds = report.max_score == points and (report.score, report.bonus) == (wanted * points, wanted * bonus)
    return Claim(f"{notebook.parent.parent.name}/ scores {said}{_why(report)}.", holds)


def _said(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _why(report: Report) -> str:
    return f" ({report.reason})" if report.reason else ""
