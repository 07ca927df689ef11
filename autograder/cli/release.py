"""Make release/ from source/ with nbgrader's converter and check the result; the course's gradebook is not changed."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder.engine.errors import GraderError

CONFIG = "nbgrader_config.py"
LEFT_OUT = shutil.ignore_patterns("data", ".ipynb_checkpoints", "__pycache__")
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
# characters; a shorter line (`return x`, `break`) may occur both in a solution and in a test.
DISTINCTIVE = 20


def generate(course_root: Path, *, into: Path, assignment: str = "cnn") -> Path:
    """Write the students' version of `source/<assignment>/` with `nbgrader generate_assignment`, run on a copy.

    `into/<assignment>/` is replaced, and its notebook returned: the same source and nbgrader always give the same bytes.
    Raises `GraderError` where there is no such source, nbgrader refuses it, or a line of a solution or private metadata is
    left in.
    """
    source = course_root / "source" / assignment / f"{assignment}.ipynb"
    if not source.is_file():
        raise GraderError(f"No assignment to release: {source} does not exist.")
    target = into / assignment
    with tempfile.TemporaryDirectory(prefix="splot-release-") as folder:
        course = Path(folder)
        shutil.copytree(source.parent, course / "source" / assignment, ignore=LEFT_OUT)
        shutil.copy(course_root / CONFIG, course / CONFIG)
        made = _convert(course, assignment)
        if found := leaked_solution_lines(source, made / source.name):
            raise GraderError(f"The release still shows a solution: {found[0]!r} ({len(found)} such lines).")
        if _is_private(made / source.name):
            raise GraderError(
                f"The release still has what the notebook says to the grader only (metadata.splot); {CONFIG} needs the line "
                "c.GenerateAssignment.preprocessors.append('autograder.engine.nbgrader.private.DropPrivate')."
            )
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(made, target)
    return target / source.name


def _convert(course: Path, assignment: str) -> Path:
    # nbgrader starts `alembic` by name; the user's own Jupyter settings must not change what students get.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    environment = os.environ | {"PATH": path, "JUPYTER_CONFIG_DIR": str(course / ".jupyter")}
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", assignment]
    command += [f"--CourseDirectory.root={course}", f"--db=sqlite:///{course / 'gradebook.db'}"]
    done = subprocess.run(  # noqa: S603  our own command
        command, cwd=course, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raised: list[str] = re.findall(r"^\s*([\w.]*(?:Error|Exception): .+)$", done.stderr, flags=re.MULTILINE)
        logged: list[str] = re.findall(r"\| ERROR\] (.+)$", done.stderr, flags=re.MULTILINE)
        cause = (raised or logged or [done.stderr.strip() or "it gave no reason."])[0]
        raise GraderError(f"nbgrader could not make the release of {assignment}: {cause}")
    return course / "release" / assignment


def is_current(course_root: Path, assignment: str = "cnn") -> bool:
    """Whether the committed release is byte for byte what is generated from the source now."""
    committed = course_root / "release" / assignment / f"{assignment}.ipynb"
    with tempfile.TemporaryDirectory(prefix="splot-release-") as folder:
        made = generate(course_root, into=Path(folder), assignment=assignment)
        return committed.is_file() and committed.read_bytes() == made.read_bytes()


def leaked_solution_lines(source: Path, release: Path) -> list[str]:
    """Return the lines of solution regions in the source that also occur in the release."""
    hidden, visible = _split(source)
    secrets = {line for line in hidden - visible if len(line) >= DISTINCTIVE}
    lines, unmarked = _split(release)
    return sorted(lines | (secrets & unmarked))


def _is_private(notebook: Path) -> bool:
    """Whether a notebook has metadata that are for the grader and the instructor only."""
    content = json.loads(notebook.read_text("utf-8"))
    in_cells = any("private" in cell["metadata"].get("splot", {}) for cell in content["cells"])
    return "splot" in content["metadata"] or in_cells


def _split(notebook: Path) -> tuple[set[str], set[str]]:
    """Split a notebook's stripped lines into those inside solution regions and those outside."""
    inside: set[str] = set()
    outside: set[str] = set()
    for cell in json.loads(notebook.read_text("utf-8"))["cells"]:
        current = outside
        for line in "".join(cell["source"]).splitlines():
            if BEGIN in line:
                current = inside
            current.add(line.strip())
            if END in line:
                current = outside
    return inside, outside


@dataclass(frozen=True)
class ReleaseCheck:
    """One condition on a release, and whether it holds."""

    text: str
    holds: bool


def check_release(course: Path, name: str, *, run: bool = True) -> Iterator[ReleaseCheck]:
    """Check a release: it is reproducible, has no solutions and scores 0; the source scores all points.

    With `run` both notebooks are graded on `quick`, which takes minutes.
    """
    source, release = (course / folder / name / f"{name}.ipynb" for folder in ("source", "release"))
    yield ReleaseCheck("The release regenerates byte for byte.", is_current(course, name))
    left = leaked_solution_lines(source, release)
    yield ReleaseCheck(f"No line of a solution is left in it{': ' + left[0] if left else ''}.", not left)
    yield ReleaseCheck("No private metadata is left in it.", not _is_private(release))
    if run:
        yield _scores(course, name, release, wanted=0.0)
        yield _scores(course, name, source, wanted=1.0)


def _scores(course: Path, name: str, notebook: Path, wanted: float) -> ReleaseCheck:
    """Grade a notebook and check that it gets the fraction `wanted` of the automatically graded points and bonus."""
    from autograder.engine.grading import Grading, grade
    from autograder.engine.notebook import load_assignment
    from autograder.engine.report import Kind, Profile

    assignment = load_assignment(name, course)
    with tempfile.TemporaryDirectory(prefix="splot-proof-") as out:
        report = grade(notebook, assignment, Grading(out=Path(out), profile=Profile.QUICK))
    points, bonus = (sum(i.points for i in assignment.items if i.kind is kind) for kind in (Kind.AUTO, Kind.BONUS))
    score, extra = ("none" if value is None else f"{value:g}" for value in (report.score, report.bonus))
    why = f" ({report.reason})" if report.reason else ""
    holds = report.max_score == points and (report.score, report.bonus) == (wanted * points, wanted * bonus)
    folder = notebook.parent.parent.name
    return ReleaseCheck(f"{folder}/ scores {score} of {points:g}, bonus {extra} of {bonus:g}{why}.", holds)
