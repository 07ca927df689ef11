"""The three graders that are compared, each from its own release of the same source: prepare once, grade, read the points.

nbgrader and otter run a student's code unconfined. Here they do so in bubblewrap, without network, and with one folder they may
write to: some submissions are hostile, and the machine is ours. What the graders do in there is their own.
"""

import gzip
import json
import os
import shutil
import struct
import subprocess
import sys
import sysconfig
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nbformat
import typer
from nbgrader.api import Gradebook

from autograder.engine.report import Outcome, Profile, read_report
from autograder.lesson.thresholds import threshold
from benchmarks.composed_class import Sample
from benchmarks.hidden_asserts import hidden_tests
from benchmarks.otter_notebook import filled, master, points_of
from benchmarks.process_usage import Usage, run_measured
from reference.data import Dataset, find
from tests.submissions.build import RELEASE, ROOT, SOURCE

NBGRADER_CONFIG = """c = get_config()
c.ClearSolutions.code_stub = {"python": "# UZUPEŁNIJ TUTAJ"}
c.Execute.timeout = 7200
"""
"""nbgrader's own in all else; its 30 s for a cell are too few for a training."""
ALL_IMAGES = 60_000
NOTEBOOK = "cnn.ipynb"
NBGRADER = [sys.executable, "-m", "nbgrader"]
FINDS_ALEMBIC = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
"""Environment: nbgrader makes its gradebook with the command `alembic`, which lies beside this Python."""
SPLOT = [sys.executable, "-c", "from autograder.cli import main; main()"]

Points = Mapping[str, float | None]
"""By test cell; None is what the grader leaves to a person. Empty where it gave no grade."""


@dataclass(frozen=True)
class Peer(ABC):
    """One grader, in a folder of its own, with training images of which the notebooks see the first `images`."""

    folder: Path
    images: int

    @abstractmethod
    def prepare(self) -> None:
        """Make what the students get and what the grader needs, from the source, in an empty folder."""

    @abstractmethod
    def submit(self, sample: Sample, students: Sequence[str]) -> None:
        """Put these students' submissions where the grader looks for them, and nobody else's."""

    @abstractmethod
    def grade(self) -> Usage:
        """Grade what was submitted, by the grader's own command, and measure it."""

    @abstractmethod
    def points(self, student: str) -> Points:
        """Read what the grader gave."""

    @abstractmethod
    def version(self) -> str:
        """Name the grader and its version."""

    def empty(self, *names: str) -> None:
        """Delete folders of an earlier run."""
        for name in names:
            shutil.rmtree(self.folder / name, ignore_errors=True)


class Splot(Peer):
    """Splot as this checkout has it, on the profile `auto`; on less than all images on `quick`."""

    def prepare(self) -> None:
        """Make its folder; it needs nothing else."""
        self.folder.mkdir(parents=True, exist_ok=True)

    def submit(self, sample: Sample, students: Sequence[str]) -> None:
        """Write the notebooks, and delete earlier reports."""
        self.empty("submitted", "graded")
        for student in students:
            _write(sample.notebook(), self.folder / "submitted" / student / "cnn")

    def grade(self) -> Usage:
        """Grade all with one command."""
        profile = Profile.AUTO if self.images == ALL_IMAGES else Profile.QUICK
        options = ["--out", str(self.folder / "graded"), "--profile", profile]
        command = [*SPLOT, "grade", str(self.folder / "submitted"), *options]
        return run_measured(command, ROOT, {}, self.folder / "log")

    def points(self, student: str) -> Points:
        """Read the report."""
        report = read_report(self.folder / "graded" / student / "cnn" / "report.json")
        tests = points_by_cell()
        return {c.id: c.score for c in report.cells if c.id in tests} if report.status is Outcome.GRADED else {}

    def version(self) -> str:
        """Name the version and the commit."""
        commit = _output(["git", "rev-parse", "--short", "HEAD"], ROOT)
        return f"splot {version('splot')} ({commit})"


class Nbgrader(Peer):
    """nbgrader's own autograde: its Execute runs the notebook, the hidden tests in its test cells."""

    def prepare(self) -> None:
        """Write a course: the source with hidden tests, the images beside it; and make its release."""
        source, hidden = nbformat.read(SOURCE, 4), hidden_tests(_threshold())
        for cell in source.cells:
            if (points := points_of(cell)) is not None:
                cell.metadata.nbgrader.points = points
            if cell.id in hidden:
                cell.source += f"\n### BEGIN HIDDEN TESTS\n{hidden[cell.id]}\n### END HIDDEN TESTS"
        _write(source, self.folder / "source" / "cnn")
        write_images(self.folder / "source" / "cnn" / "data", self.images)
        (self.folder / "nbgrader_config.py").write_text(NBGRADER_CONFIG, "utf-8")
        _output([*NBGRADER, "generate_assignment", "cnn", "--force"], self.folder, FINDS_ALEMBIC)

    def submit(self, sample: Sample, students: Sequence[str]) -> None:
        """Write the notebooks, and delete earlier grades."""
        self.empty("submitted", "autograded")
        with self._gradebook() as gradebook:
            for known in gradebook.students:
                gradebook.remove_student(known.id)
        for student in students:
            _write(sample.notebook(), self.folder / "submitted" / student / "cnn")

    def grade(self) -> Usage:
        """Grade all with one command."""
        command = confined([*NBGRADER, "autograde", "cnn"], self.folder)
        return run_measured(command, self.folder, FINDS_ALEMBIC, self.folder / "log")

    def points(self, student: str) -> Points:
        """Read the gradebook."""
        if not (self.folder / "autograded" / student / "cnn" / NOTEBOOK).exists():
            return {}
        tests = points_by_cell()
        with self._gradebook() as gradebook:
            booked = gradebook.find_submission_notebook("cnn", "cnn", student).grades
            return {grade.name: grade.auto_score for grade in booked if grade.name in tests}

    def version(self) -> str:
        """Name its version."""
        return f"nbgrader {version('nbgrader')}"

    def _gradebook(self) -> Any:
        return Gradebook(f"sqlite:///{self.folder}/gradebook.db")


@dataclass(frozen=True)
class Otter(Peer):
    """otter-grader: `otter assign` from the converted notebook, `otter run` on this machine, one student at a time.

    `python` has otter-grader; everything that a notebook imports it takes from this environment, the second on its path.
    """

    python: Path

    @property
    def _environment(self) -> dict[str, str]:
        return {"PYTHONPATH": sysconfig.get_path("purelib")}

    def prepare(self) -> None:
        """Convert the notebook, the images beside it, and have otter make students' notebook and its archive."""
        made = master(nbformat.read(RELEASE, 4), nbformat.read(SOURCE, 4), hidden_tests(_threshold()))
        _write(made, self.folder)
        write_images(self.folder / "data", self.images)
        command = [str(self.python), "-m", "otter", "assign", NOTEBOOK, "assigned", "--no-run-tests"]
        _output(command, self.folder, self._environment)

    def submit(self, sample: Sample, students: Sequence[str]) -> None:
        """Fill the students' notebook that otter made, and delete earlier results."""
        self.empty("submitted", "results")
        for student in students:
            made = nbformat.read(self.folder / "assigned" / "student" / NOTEBOOK, 4)
            _write(filled(made, sample.cells), self.folder / "submitted" / student)
            (self.folder / "results" / student).mkdir(parents=True)

    def grade(self) -> Usage:
        """Grade each with a command of its own, as `otter run` does."""
        (archive,) = (self.folder / "assigned" / "autograder").glob("*.zip")
        used = []
        for student in sorted(path.name for path in (self.folder / "submitted").iterdir()):
            options = ["--autograder", str(archive), "--output-dir", f"results/{student}", "--no-logo"]
            command = [str(self.python), "-m", "otter", "run", f"submitted/{student}/{NOTEBOOK}", *options]
            used.append(
                run_measured(confined(command, self.folder), self.folder, self._environment, self.folder / "log")
            )
        memory = tuple(sample for usage in used for sample in usage.memory)
        worst = max(usage.exit_code for usage in used)
        return Usage(worst, sum(usage.wall_s for usage in used), sum(usage.cpu_s for usage in used), memory)

    def points(self, student: str) -> Points:
        """Read otter's results."""
        path = self.folder / "results" / student / "results.json"
        if not path.exists():
            return {}
        tests = points_by_cell()
        results = {test["name"]: test.get("score") for test in json.loads(path.read_text("utf-8"))["tests"]}
        return {name: score for name, score in results.items() if name in tests}

    def version(self) -> str:
        """Name its version."""
        ask = "from importlib.metadata import version; print(version('otter-grader'))"
        return f"otter-grader {_output([str(self.python), '-c', ask], ROOT)}"


def points_by_cell() -> dict[str, float]:
    """Return the points of every test cell, a bonus's too."""
    points = {cell.id: points_of(cell) for cell in nbformat.read(SOURCE, 4).cells}
    return {name: worth for name, worth in points.items() if worth is not None}


def confined(command: Sequence[str], folder: Path) -> list[str]:
    """Return the command inside bubblewrap: it reads all, writes in `folder` alone, and has no network."""
    home = "/tmp/home"  # noqa: S108 - inside
    view = ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--dir", home]  # noqa: S108
    own = ["--bind", str(folder), str(folder), "--chdir", str(folder), "--setenv", "HOME", home]
    return ["bwrap", *view, *own, "--unshare-pid", "--unshare-ipc", "--unshare-net", "--die-with-parent", *command]


def write_images(data: Path, images: int) -> None:
    """Write Fashion-MNIST where torchvision finds it, the first images of each part."""
    found = find(Dataset.FASHION_MNIST, "train")
    if found is None:
        raise typer.BadParameter("Fashion-MNIST is not on this machine; `splot doctor` says how to get it.")
    raw = data / "FashionMNIST" / "raw"
    raw.mkdir(parents=True, exist_ok=True)
    for part in ("train", "t10k"):
        for kind, header in (("images-idx3", 16), ("labels-idx1", 8)):
            packed = found / f"{part}-{kind}-ubyte.gz"
            content = gzip.decompress(packed.read_bytes()) if packed.exists() else packed.with_suffix("").read_bytes()
            total = struct.unpack(">I", content[4:8])[0]
            kept, size = min(images, total), (len(content) - header) // total
            cut = content[:4] + struct.pack(">I", kept) + content[8 : header + kept * size]
            (raw / f"{part}-{kind}-ubyte").write_bytes(cut)


def _threshold() -> float:
    return threshold(Dataset.FASHION_MNIST, Profile.FULL)


def _write(notebook: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / NOTEBOOK)


def _output(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    """Run one of the graders' own commands and return what it printed."""
    done = subprocess.run(  # noqa: S603 - see above
        command, cwd=folder, env=os.environ | dict(environment or {}), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise typer.BadParameter(f"{' '.join(command)} failed: {done.stderr.strip()[-500:]}")
    return done.stdout.strip()
