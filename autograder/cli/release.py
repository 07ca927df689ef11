"""release/ from source/ by nbgrader's own converter, run on a copy: the course and its gradebook stay untouched."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from autograder.engine.errors import GraderError

CONFIG = "nbgrader_config.py"
LEFT_OUT = shutil.ignore_patterns("data", ".ipynb_checkpoints", "__pycache__")
BEGIN, END = "BEGIN SOLUTION", "END SOLUTION"
# A shorter line (`return x`, `break`) may well stand in a solution and in a test.
DISTINCTIVE = 20


def generate(course_root: Path, *, into: Path, assignment: str = "cnn") -> Path:
    """Write the students' version of an assignment with `nbgrader generate_assignment`.

    Args:
        course_root: the folder of `source/` and `nbgrader_config.py`; only read.
        into: the release folder; `into/<assignment>/` is replaced.
        assignment: the folder below `source/`, and the name of the notebook in it.

    Returns:
        `into/<assignment>/<assignment>.ipynb`; the same source and nbgrader always give the same bytes.

    Raises:
        GraderError: there is no such source, nbgrader refused it, or a line of a solution was left in.

    """
    source = course_root / "source" / assignment / f"{assignment}.ipynb"
    if not source.is_file():
        raise GraderError(f"No assignment to release: {source} does not exist.")
    with tempfile.TemporaryDirectory(prefix="splot-release-") as folder:
        made = _convert(_copy(course_root, assignment, Path(folder)), assignment)
        _refuse_leftovers(source, made / source.name)
        return _replace(made, into / assignment) / source.name


def is_current(course_root: Path, assignment: str = "cnn") -> bool:
    """Whether the course's committed release is, byte for byte, what its source gives now."""
    committed = course_root / "release" / assignment / f"{assignment}.ipynb"
    with tempfile.TemporaryDirectory(prefix="splot-release-") as folder:
        made = generate(course_root, into=Path(folder), assignment=assignment)
        return committed.is_file() and committed.read_bytes() == made.read_bytes()


def leftovers(source: Path, release: Path) -> list[str]:
    """Return the lines of the source's solution regions that a student would find in the release."""
    hidden, shown = _split(source)
    secrets = {line for line in hidden - shown if len(line) >= DISTINCTIVE}
    lines, unmarked = _split(release)
    return sorted(lines | (secrets & unmarked))


def _copy(course_root: Path, assignment: str, course: Path) -> Path:
    source = course_root / "source" / assignment
    copied = course / "source" / assignment
    shutil.copytree(source, copied, ignore=LEFT_OUT)
    _drop_own(copied / f"{assignment}.ipynb")
    shutil.copy(course_root / CONFIG, course / CONFIG)
    return course


def _drop_own(path: Path) -> None:
    """Take out what the notebook says to the grader only; a damaged one is nbgrader's to refuse."""
    with suppress(ValueError):
        notebook = json.loads(path.read_text("utf-8"))
        notebook.get("metadata", {}).pop("splot", None)
        for cell in notebook.get("cells", ()):
            cell.get("metadata", {}).get("splot", {}).pop("private", None)
        path.write_text(json.dumps(notebook, ensure_ascii=False), "utf-8")


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
        raise GraderError(f"nbgrader could not make the release of {assignment}: {_cause(done.stderr)}")
    return course / "release" / assignment


def _cause(log: str) -> str:
    raised: list[str] = re.findall(r"^\s*([\w.]*(?:Error|Exception): .+)$", log, flags=re.MULTILINE)
    logged: list[str] = re.findall(r"\| ERROR\] (.+)$", log, flags=re.MULTILINE)
    return (raised or logged or [log.strip() or "it gave no reason."])[0]


def _refuse_leftovers(source: Path, release: Path) -> None:
    if found := leftovers(source, release):
        raise GraderError(f"The release still shows a solution: {found[0]!r} ({len(found)} such lines).")


def _replace(made: Path, target: Path) -> Path:
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(made, target)
    return target


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
