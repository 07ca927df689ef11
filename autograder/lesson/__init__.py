"""The lesson on convolutional networks: its hidden graders, its data and thresholds, what it measures and shows."""

import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import reference
from autograder import models
from autograder.engine.evidence import Schema
from autograder.engine.lesson import Lesson
from autograder.engine.text import say
from autograder.lesson.findings import CNNFindings, join_findings
from autograder.lesson.observations import WEIGHTS, AnyRecord, LessonEvidence
from autograder.lesson.presentation import class_page, flag_meaning, measured_beside, page
from autograder.models import MAX_WEIGHT_BYTES, too_heavy

__all__ = ["LESSON", "recalibrate"]

HERE = Path(__file__).parent


def _lazy(name: str) -> Callable[..., Any]:
    """Return a function that imports the one of this name when it is called: `splot report` must not wait for torch."""

    def call(*arguments: Any, **named: Any) -> Any:
        return pkgutil.resolve_name(name)(*arguments, **named)

    return call


LESSON = Lesson(
    graders="autograder.lesson.graders",
    heavy=("autograder.lesson.measure", "autograder.lesson.flags", "autograder.lesson.pictures"),
    threads=_lazy("torch:set_num_threads"),
    sources=(Path(models.__file__).parent, Path(reference.__file__).parent),
    prepare=_lazy("autograder.lesson.measure:prepare"),
    title=lambda: say(pl="sieci konwolucyjne", en="convolutional networks"),
    code={"lesson/recorders": HERE / "recorders", "models/capture": Path(models.__file__).parent / "capture"},
    recorders="lesson.recorders",
    imports=("torch", "torchvision", "matplotlib.pyplot"),
    schema=Schema(AnyRecord, WEIGHTS, MAX_WEIGHT_BYTES, too_heavy),
    evidence=LessonEvidence,
    dataset=_lazy("autograder.lesson.datasets:chosen_dataset"),
    data=_lazy("autograder.lesson.datasets:data_folder"),
    measure=_lazy("autograder.lesson.measure:Measurements"),
    flags=_lazy("autograder.lesson.flags:raise_flags"),
    findings=CNNFindings,
    join=join_findings,
    look=_lazy("autograder.lesson.pictures:draw_findings"),
    flag_meaning=flag_meaning,
    marking_notes=measured_beside,
    templates=HERE / "templates",
    page=page,
    class_page=class_page,
)
recalibrate = _lazy("autograder.lesson.calibrate:recalibrate")
