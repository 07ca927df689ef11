"""The course's settings in `nbgrader_config.py`: `c.Splot.…`."""

from pathlib import Path
from typing import Any, Self

from traitlets import Bool, Enum, Float, Unicode
from traitlets.config import LoggingConfigurable

from autograder.engine.grading import Grading
from autograder.engine.report import Profile
from autograder.engine.sandbox import SandboxKind
from autograder.engine.text import Lang


class Splot(LoggingConfigurable):
    """The grader's settings for one nbgrader course."""

    graded_directory = Unicode("graded", help="where reports, evidence and feedback pages lie, below the course").tag(
        config=True
    )
    profile = Enum([*Profile], Profile.AUTO, help="the data submissions run on: auto, quick, medium or full").tag(
        config=True
    )
    lang = Enum([*Lang], Lang.PL, help="the language of what a student reads: pl or en").tag(config=True)
    sandbox = Enum([*SandboxKind], SandboxKind.BWRAP, help="none runs student code unconfined").tag(config=True)
    gpu = Bool(False, help="let the sandbox use a GPU, one student at a time per GPU").tag(config=True)
    time_limit = Float(None, allow_none=True, help="seconds a notebook may take, if not the profile's own").tag(
        config=True
    )
    force = Bool(False, help="run and judge again what is unchanged since an earlier run").tag(config=True)
    max_bonus = Float(None, allow_none=True, min=0, help="bonus points one submission may get; by default all").tag(
        config=True
    )

    root = Path()
    group = False

    @classmethod
    def from_converter(cls, converter: Any) -> Self:
        """Return the settings in force for one of nbgrader's converters or apps, whose course they are about."""
        settings = cls(parent=converter)
        settings.root = Path(converter.coursedir.root)
        settings.group = converter.coursedir.groupshared
        return settings

    @property
    def language(self) -> Lang:
        """The language of what a student reads."""
        return Lang(self.lang)

    def grading(self) -> Grading:
        """Return the settings as `splot grade` takes them."""
        return Grading(
            out=self.root / self.graded_directory,
            profile=Profile(self.profile),
            lang=self.language,
            sandbox=SandboxKind(self.sandbox),
            gpu=self.gpu,
            time_limit=self.time_limit,
            force=self.force,
            group=self.group,
        )
