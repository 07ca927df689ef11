"""The lesson on convolutional networks: its hidden graders, its data and thresholds, what it measures and shows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autograder import models
from autograder.engine.evidence import Schema
from autograder.engine.lesson import Lesson, Measuring
from autograder.engine.notebook import Submission
from autograder.engine.report import CellReport, Flag, Profile, Report
from autograder.engine.text import say
from autograder.engine.watch import Watch
from autograder.lesson.evidence import LessonEvidence
from autograder.lesson.findings import CNNFindings
from autograder.lesson.records import WEIGHTS, AnyRecord
from autograder.lesson.words import expectation, meaning
from autograder.models import MAX_WEIGHT_BYTES, too_heavy

__all__ = ["LESSON"]

HERE = Path(__file__).parent


def _threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def _dataset(submission: Submission) -> str:
    from autograder.lesson.choice import chosen_dataset

    return chosen_dataset(submission)


def _data(profile: Profile) -> Path:
    from autograder.lesson.data import data_folder

    return data_folder(profile)


def _measure(evidence: LessonEvidence, watch: Watch) -> Measuring:
    from autograder.lesson.measure import Measurements

    return Measurements(evidence, watch)


def _flags(measured: Any) -> tuple[Flag, ...]:
    from autograder.lesson.flags import raise_flags

    return raise_flags(measured)


def _look(measured: Any) -> CNNFindings:
    from autograder.lesson.pictures import look

    return look(measured.evidence, measured)


def _page(findings: CNNFindings) -> Mapping[str, Any]:
    from autograder.lesson.pages import page

    return page(findings)


def _class_page(of_all: list[CNNFindings]) -> Mapping[str, Any]:
    from autograder.lesson.pages import class_page

    return class_page(of_all)


def _beside(cell: CellReport, report: Report, findings: CNNFindings) -> list[str]:
    from autograder.lesson.marking import beside

    return beside(cell, report, findings)


LESSON = Lesson(
    graders="autograder.lesson.graders",
    heavy=("autograder.lesson.measure", "autograder.lesson.flags", "autograder.lesson.pictures"),
    threads=_threads,
    title=lambda: say(pl="sieci konwolucyjne", en="convolutional networks"),
    code={"lesson/recorders": HERE / "recorders", "models/capture": Path(models.__file__).parent / "capture"},
    recorders="lesson.recorders",
    schema=Schema(AnyRecord, WEIGHTS, MAX_WEIGHT_BYTES, too_heavy),
    evidence=LessonEvidence,
    dataset=_dataset,
    data=_data,
    measure=_measure,
    flags=_flags,
    findings=CNNFindings,
    look=_look,
    flag_meaning=meaning,
    expectation=expectation,
    beside=_beside,
    templates=HERE / "templates",
    page=_page,
    class_page=_class_page,
)
