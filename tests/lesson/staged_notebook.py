"""A notebook whose evidence can be taken again, cell by cell, after more of its code ran; judged check by check.

For trusted code of our own tests only, as `tests/unsandboxed.py`, which judges a whole notebook.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from autograder.engine.evidence.exchange import take, write_requests
from autograder.engine.inside.bootstrap import Requests
from autograder.engine.judging.judge import gather_probes
from autograder.engine.outcomes import AbsentError, UndecidedError
from autograder.engine.report import Profile
from autograder.engine.text import Lang, in_language
from autograder.lesson import LESSON
from autograder.lesson.datasets import data_folder
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import LessonEvidence
from autograder.lesson.recorders import recorders
from autograder.models.capture.gradients import count_steps
from tests.evidence import SEED, evidence_file, write_evidence_file
from tests.unsandboxed import DATA, IMPORTS


@dataclass(frozen=True)
class StagedNotebook:
    """The notebook's names, and the folder that holds the evidence taken of them."""

    folder: Path
    namespace: dict[str, Any]

    @classmethod
    def run(cls, folder: Path, *sources: str, cells: tuple[str, ...]) -> "StagedNotebook":
        """Run a notebook on the `quick` profile and take evidence at these test cells."""
        count_steps()
        notebook = cls(folder, {"DATA_FOLDER": str(data_folder(Profile.QUICK))})
        write_evidence_file(evidence_file(), folder)
        (folder / "notebook.ipynb").write_text('{"cells": []}')
        notebook._run(IMPORTS, DATA, *sources)
        notebook._take(cells)
        return notebook

    def then(self, folder: Path, source: str, *cells: str) -> "StagedNotebook":
        """Run more code on copies of the names and of `models`, and take evidence at these cells again.

        A function of the notebook's own still writes where it was defined.
        """
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        notebook = replace(self, folder=folder, namespace=self.namespace | {"models": dict(self.namespace["models"])})
        notebook._run(source)
        notebook._take(cells)
        return notebook

    @property
    def evidence(self) -> LessonEvidence:
        """What was taken."""
        return LessonEvidence(self.folder)

    def _run(self, *sources: str) -> None:
        for source in sources:
            exec(compile(source, "staged", "exec"), self.namespace)  # noqa: S102 - our own tests' code

    def _take(self, cells: tuple[str, ...]) -> None:
        inbox, outbox = self.folder / "inbox", self.folder / "outbox"
        probe, asked = Requests(self.namespace, str(inbox), str(outbox), recorders), gather_probes(LESSON)
        probed = {old.cell: old for old in self.evidence.file.probed}
        for cell in cells:
            write_requests(asked[cell], SEED, inbox / cell)
            probe.take(cell)
            probed[cell] = take(outbox, cell, self.folder, LESSON.schema)
        write_evidence_file(msgspec.structs.replace(self.evidence.file, probed=tuple(probed.values())), self.folder)


def message_of(check: Callable[..., None], *arguments: LessonEvidence | Measurements | object) -> str:
    """Run one check and return its message in English; empty where it passed, "? …" where it is undecided."""
    with in_language(Lang.EN):
        try:
            check(*arguments)
        except AbsentError as absent:
            return absent.message
        except UndecidedError as undecided:
            return f"? {undecided}"
        except AssertionError as wrong:
            return str(wrong) or "failed without a message"
    return ""
