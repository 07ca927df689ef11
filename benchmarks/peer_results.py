"""The results of `benchmarks.peers`: kept one a line, and summarised as tables and plots in docs/benchmarks.md."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev

import msgspec
import typer

from autograder.lesson.thresholds import Provenance
from benchmarks.benchmark_page import bars, picture, plot, put_section, table
from benchmarks.composed_class import COMPARED, PLANTED, Part
from benchmarks.peer_graders import points_by_cell
from benchmarks.process_usage import Usage
from tests.submissions.build import ROOT

RUNS = ROOT / "build" / "peers" / "runs.jsonl"
GRADERS = ("splot", "nbgrader", "otter")


class PeerRun(msgspec.Struct, frozen=True):
    """One grader's run on one submission; `points` by test cell are empty where it gave no grade."""

    grader: str
    version: str
    sample: str
    students: int
    images: int
    points: dict[str, float]
    usage: Usage
    how: Provenance
    load: float

    @property
    def wall_s(self) -> float:
        """Wall time a student."""
        return self.usage.wall_s / self.students

    @property
    def cpu_s(self) -> float:
        """Processor time a student."""
        return self.usage.cpu_s / self.students

    @property
    def total(self) -> str:
        """The points together, or that there is no grade."""
        return f"{sum(self.points.values()):g}" if self.points else "none"

    def same_as(self, grader: str, sample: str, students: int, images: int) -> bool:
        """Whether it measured this."""
        return (self.grader, self.sample, self.students, self.images) == (grader, sample, students, images)


def read_runs(path: Path = RUNS) -> list[PeerRun]:
    """Read what was measured so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = path.read_bytes().splitlines() if path.exists() else []
    try:
        return [msgspec.json.decode(line, type=PeerRun) for line in lines]
    except msgspec.DecodeError as error:
        raise typer.BadParameter(f"{path} is not what this version writes ({error}): move it away.") from error


Key = tuple[str, int]
"""A submission, and how many copies were graded as one class."""
Runs = Mapping[Key, Mapping[str, list[PeerRun]]]
"""By submission, then by grader."""


def grouped(runs: Sequence[PeerRun], images: int) -> Runs:
    """Put the runs on so many images in order."""
    order = {sample.name: place for place, sample in enumerate(COMPARED)}
    found: dict[Key, dict[str, list[PeerRun]]] = {}
    for run in sorted(runs, key=lambda run: (order[run.sample], run.students, GRADERS.index(run.grader))):
        if run.images == images:
            found.setdefault((run.sample, run.students), {}).setdefault(run.grader, []).append(run)
    return found


def write_page() -> None:
    """Write tables and plots of what was measured on all images, or else on the most there are."""
    runs = read_runs()
    if not runs:
        raise SystemExit(f"There are no results in {RUNS}: run `python -m benchmarks.peers` first.")
    images = max(run.images for run in runs)
    found = grouped(runs, images)
    parts = [_how(runs, images), _points_table(found), _times_table(found), ratios(found)]
    parts.append(picture("peers-time", "Wall time of each honest submission by grader."))
    parts.append(
        picture("peers-points", "Points that each grader gives to hostile submissions, beside what they deserve.")
    )
    put_section("peers", "\n\n".join(parts))
    _draw_times(found)
    _draw_points(found)


def _how(runs: Sequence[PeerRun], images: int) -> str:
    """Say what was measured, when, on what."""
    here = [run for run in runs if run.images == images]
    versions = ", ".join(sorted({run.version for run in here}))
    machines = "; ".join(sorted({f"{run.how.machine}, torch {run.how.torch}" for run in here}))
    dates = sorted({run.how.date for run in here})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    load = max(run.load for run in here)
    data = "" if images == 60_000 else f" **Only the first {images} images of each part: a trial, no measurement.**"
    return f"{versions}; {machines}; {when}; load before a run at most {load}.{data}"


def _points_table(found: Runs) -> str:
    rows = []
    for sample in COMPARED:
        by_grader: dict[str, list[PeerRun]] = {}
        for (name, _), here in found.items():
            for grader, runs in here.items():
                by_grader.setdefault(grader, []).extend(runs if name == sample.name else [])
        if any(by_grader.values()):
            deserved = "–" if sample.deserves is None else f"{sample.deserves:g}"
            rows.append([sample.name, deserved, *(_totals(by_grader.get(grader, [])) for grader in GRADERS)])
            if sample.name == "wrong":
                caught = [_caught(by_grader.get(grader, [])) for grader in GRADERS]
                rows.append([f"… its {len(PLANTED)} mistakes that cost points", str(len(PLANTED)), *caught])
    return table(["submission, points of 20.5", "deserves", *GRADERS], rows)


def _totals(runs: Sequence[PeerRun]) -> str:
    """Return the points, each value that occurred."""
    return " / ".join(sorted({run.total for run in runs})) if runs else "–"


def _caught(runs: Sequence[PeerRun]) -> str:
    """Return how many of the mistakes in the wrong sample cost points, each value that occurred."""
    full = points_by_cell()
    counts = {sum(run.points.get(cell, 0.0) < full[cell] for cell in PLANTED) for run in runs}
    return " / ".join(map(str, sorted(counts))) or "–"


def _times_table(found: Runs) -> str:
    rows = []
    for (name, students), here in found.items():
        for grader, runs in here.items():
            who = name if students == 1 else f"{name}, {students} in one command"
            peak = max(run.usage.peak_mb for run in runs)
            times = [spread([run.wall_s for run in runs]), spread([run.cpu_s for run in runs])]
            rows.append([who, grader, str(len(runs)), *times, f"{peak:.0f}"])
    return table(["submission", "grader", "n", "wall a student, s", "CPU a student, s", "peak memory, MB"], rows)


def spread(values: Sequence[float]) -> str:
    """Return mean and deviation; of one value the value."""
    return f"{mean(values):.1f} ± {stdev(values):.1f}" if len(values) > 1 else f"{values[0]:.1f}"


def ratios(found: Runs) -> str:
    """Say how many times as fast as its peers Splot is, by the mean wall time of each submission."""
    lines = []
    for (name, students), here in found.items():
        if "splot" in here and len(here) > 1:
            ours = mean(run.wall_s for run in here["splot"])
            theirs = [f"{mean(r.wall_s for r in runs) / ours:.1f} × {g}" for g, runs in here.items() if g != "splot"]
            lines.append(f"{name}{'' if students == 1 else f' ({students})'} {', '.join(theirs)}")
    return f"Speed, as a multiple of the peer's: {'; '.join(lines)}."


def _draw_times(found: Runs) -> None:
    names = [(name, students) for name, students in found if _is_honest(name) and students == 1]
    values = {g: [_mean_wall(found[key].get(g, [])) for key in names] for g in GRADERS}
    with plot("peers-time", "Wall time of one submission", "seconds", "", (6.4, 3.2)) as axes:
        bars(axes, [name for name, _ in names], values, ".0f")


def _draw_points(found: Runs) -> None:
    known = {sample.name: sample.deserves for sample in COMPARED}
    names = [key for key in found if not _is_honest(key[0]) and key[1] == 1]
    values: dict[str, list[float | None]] = {"deserved": [known[name] for name, _ in names]}
    for grader in GRADERS:
        last = [found[key].get(grader, [])[-1:] for key in names]
        values[grader] = [sum(runs[0].points.values()) if runs and runs[0].points else None for runs in last]
    with plot("peers-points", "Points given to hostile submissions, of 20.5", "points", "", (6.4, 4.6)) as axes:
        bars(axes, [name for name, _ in names], values, "g")


def _mean_wall(runs: Sequence[PeerRun]) -> float | None:
    return mean(run.wall_s for run in runs) if runs else None


def _is_honest(name: str) -> bool:
    return next(sample for sample in COMPARED if sample.name == name).part is not Part.HOSTILE
