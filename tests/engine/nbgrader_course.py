"""An nbgrader course of its own for tests: this repository's source and settings, and real nbgrader."""

import asyncio
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook
from nbgrader.apps.api import NbGraderAPI
from nbgrader.apps.baseapp import NbGrader
from nbgrader.coursedir import CourseDirectory

from tests.submissions import build
from tests.submissions.fitted import FITTED_CELLS
from tests.submissions.right import TASK_1, TASK_2

ROOT = Path(__file__).parents[2]
IMPORTS = "import os\nimport warnings\nimport numpy as np\nimport torch\nimport torch.nn as nn\nimport torch.nn.functional as F\n"
RICH = {"install": IMPORTS + "from torchvision import datasets, transforms\n"} | TASK_1 | TASK_2 | FITTED_CELLS
"""A submission with networks that are fitted in a moment instead of trained."""


@dataclass(frozen=True)
class Course:
    """The course's folder, and what one does with it."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> "Course":
        """Make a course: what a clean clone holds, and what `make course` adds."""
        shutil.copytree(ROOT / "source", root / "source", ignore=shutil.ignore_patterns("data", "__pycache__"))
        shutil.copy(ROOT / "nbgrader_config.py", root)
        course = cls(root)
        assert course.command("generate_assignment", "cnn", "--force").returncode == 0
        return course

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `nbgrader` as a person who did not activate the virtual environment: without its folder on PATH."""
        environment = os.environ | {"JUPYTER_CONFIG_DIR": str(self.root / ".jupyter"), "PATH": os.defpath}
        command = [sys.executable, "-m", "nbgrader", *arguments]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def submit(self, student: str, cells: Mapping[str, str]) -> Path:
        """Put a filled release where submissions lie."""
        return build(cells, self.root / "submitted", student)

    def again(self, student: str, *, force: bool = True, **settings: Any) -> dict[str, Any]:
        """Press formgrader's button, inside a running event loop as its server does; the stored evidence is judged."""

        async def press() -> Any:
            with _at(self.root), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nbgrader's own
                app = NbGrader()
                app.load_config_file()
                app.config.Execute.enabled = False
                app.config.Splot.update(settings)
                return NbGraderAPI(CourseDirectory(parent=app), parent=app).autograde("cnn", student, force=force)

        result: dict[str, Any] = asyncio.run(press())
        return result

    @contextmanager
    def gradebook(self) -> Iterator[Any]:
        """Open the gradebook; what is changed in it is kept."""
        with warnings.catch_warnings(), Gradebook(f"sqlite:///{self.root}/gradebook.db") as gradebook:
            warnings.simplefilter("ignore")  # nbgrader's own
            yield gradebook
            gradebook.db.commit()

    @contextmanager
    def submission(self, student: str) -> Iterator[Any]:
        """Open a student's part of it."""
        with self.gradebook() as gradebook:
            yield gradebook.find_submission_notebook("cnn", "cnn", student)

    @contextmanager
    def grade(self, student: str, cell: str) -> Iterator[Any]:
        """Open one cell's grade."""
        with self.submission(student) as submission:
            yield next(grade for grade in submission.grades if grade.name == cell)

    def autograded(self, student: str) -> dict[str, Any]:
        """Return the autograded notebook's cells by grade_id, or by their own id."""
        notebook = nbformat.read(self.root / "autograded" / student / "cnn" / "cnn.ipynb", as_version=4)
        return {cell.metadata.get("nbgrader", {}).get("grade_id") or cell.id: cell for cell in notebook.cells}


@contextmanager
def _at(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
