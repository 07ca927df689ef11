"""The results of `benchmarks.classes`: what each class took, and the tables, plots and forecasts in docs/benchmarks.md."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import msgspec

from autograder.engine.report import Outcome, Report, read_report
from autograder.lesson.thresholds import Provenance
from benchmarks.benchmark_page import picture, plot, put_section, table
from benchmarks.composed_class import SHARES, Part
from benchmarks.forecast import Cost, Machines, class_of, forecast
from benchmarks.process_usage import Usage
from tests.submissions.build import ROOT

CLASSES = ROOT / "build" / "classes"
FORECAST_SIZE = 300
NETWORK_BYTES_S = 125e6
"""One gigabit a second, into the machine that has the command."""
JOB_START_S = 60.0
"""What a cluster's job is assumed to take until its worker has proved itself, with no queue before it."""


class Piece(msgspec.Struct, frozen=True):
    """One run of `splot grade` on a class: all of it, or a part."""

    started: float
    usage: Usage
    how: Provenance


@dataclass(frozen=True)
class Measured:
    """A class as far as it is graded: its runs, and each report with when it was written, in seconds of those runs."""

    folder: Path
    jobs: int
    students: int
    pieces: tuple[Piece, ...]
    reports: tuple[tuple[float, Report], ...]

    @classmethod
    def read(cls, folder: Path) -> "Measured":
        """Read what `benchmarks.classes` left in the folder of a class."""
        lines = path.read_bytes().splitlines() if (path := folder / "pieces.jsonl").exists() else []
        pieces = tuple(msgspec.json.decode(line, type=Piece) for line in lines)
        written = sorted(folder.glob("graded/*/cnn/report.json"), key=lambda path: path.stat().st_mtime)
        reports = tuple((_at(path.stat().st_mtime, pieces), read_report(path)) for path in written)
        students = sum(1 for _ in folder.glob("submitted/*"))
        return cls(folder, int(folder.name.rpartition("-j")[2]), students, pieces, reports)

    @property
    def left(self) -> int:
        """How many are not graded yet."""
        return self.students - len(self.reports)

    @property
    def name(self) -> str:
        """Say which class it is."""
        return f"{self.students}{' light' if self.folder.name.startswith('light') else ''}"

    @property
    def wall_s(self) -> float:
        """Wall time of all runs."""
        return sum(piece.usage.wall_s for piece in self.pieces)

    @property
    def notebooks_s(self) -> float:
        """What the notebooks alone ran, one after the other."""
        return sum(report.timing.notebook_s for _, report in self.reports)

    @property
    def overhead(self) -> float:
        """How much longer the class took than its notebooks on as many slots, as a fraction."""
        return self.wall_s * self.jobs / self.notebooks_s - 1

    @property
    def serial_s(self) -> float:
        """Processor time of the command and its fork server for each report."""
        return sum(piece.usage.first_cpu_s for piece in self.pieces) / len(self.reports)

    def costs(self) -> dict[Part, list[Cost]]:
        """Return each submission's cost by its part; what no report names is shared out evenly."""
        timed = sum(report.timing.notebook_s + report.timing.ours_s for _, report in self.reports)
        between = max(0.0, (self.wall_s * self.jobs - timed) / len(self.reports))
        costs: dict[Part, list[Cost]] = {}
        for _, report in sorted(self.reports, key=lambda entry: entry[1].student):
            part = Part(report.student.partition("-")[2])
            costs.setdefault(part, []).append(Cost(report.timing.notebook_s, report.timing.ours_s + between))
        return costs

    def memory(self) -> list[tuple[float, float, float]]:
        """Return seconds, MB of all processes, MB of those that stay, over all runs."""
        found, before = [], 0.0
        for piece in self.pieces:
            found += [(before + second, total, stays) for second, total, stays in piece.usage.memory]
            before += piece.usage.wall_s
        return found

    def summary(self) -> str:
        """Say in a line what it took so far."""
        if not self.reports:
            return f"{self.name}, -j {self.jobs}: nothing graded yet"
        ungraded = sum(report.status is not Outcome.GRADED for _, report in self.reports)
        return (
            f"{self.name}, -j {self.jobs}: {len(self.reports)} of {self.students} graded ({ungraded} ungraded) in "
            f"{self.wall_s:.0f} s; notebooks {self.notebooks_s:.0f} s, so {self.overhead:+.0%} beside them"
        )


def _at(written: float, pieces: Sequence[Piece]) -> float:
    """Return when a report was written, in seconds of the runs, the pauses between them left out."""
    seconds = 0.0
    for piece in pieces:
        seconds += min(max(0.0, written - piece.started), piece.usage.wall_s)
    return seconds


def write_page() -> None:
    """Write tables and plots of every class that is wholly graded."""
    found = [Measured.read(folder) for folder in sorted(CLASSES.glob("*-j*"))]
    whole = sorted((one for one in found if one.reports and not one.left), key=lambda one: (one.students, one.jobs))
    if not whole:
        raise SystemExit(f"No class in {CLASSES} is wholly graded: run `python -m benchmarks.classes` first.")
    machines = "; ".join(
        sorted({f"{p.how.machine}, torch {p.how.torch}, {p.how.date}" for m in whole for p in m.pieces})
    )
    parts = [machines + ".", _classes_table(whole), _costs_table(whole)]
    mixed = {one.jobs: one for one in whole if set(one.costs()) == set(Part)}
    if mixed:
        parts.append(_forecast_table(mixed))
    parts.append(
        picture("class-memory", "Memory of all processes, and of the command and its fork server, over a class.")
    )
    parts.append(picture("class-time", "Submissions graded over time, for each class."))
    put_section("classes", "\n\n".join(parts))
    _draw_memory(whole)
    _draw_time(whole)


def _classes_table(classes: Sequence[Measured]) -> str:
    rows = []
    for one in classes:
        cpu = sum(piece.usage.cpu_s for piece in one.pieces)
        stays = " / ".join(f"{mb:.0f}" for mb in _stays(one))
        peak = max(piece.usage.peak_mb for piece in one.pieces)
        times = [f"{one.wall_s:.0f}", f"{one.notebooks_s:.0f}", f"{one.overhead:+.0%}", f"{cpu:.0f}"]
        rows.append(
            [
                one.name,
                str(one.jobs),
                *times,
                f"{one.wall_s / one.students:.1f}",
                f"{peak:.0f}",
                stays,
            ]
        )
    head = ["students", "-j", "wall, s", "notebooks, s", "beside them", "CPU, s", "wall a student, s", "peak, MB"]
    return table([*head, "command and server, MB: early / late"], rows)


def _stays(one: Measured) -> tuple[float, float]:
    """Return the mean memory of the processes that stay, in the second tenth of the class and in the last but one.

    In the last one the fork server shares its pages with fewer and fewer workers, so that more of them are its own.
    """
    sizes_mb = [stays for *_, stays in one.memory()]
    tenth = max(1, len(sizes_mb) // 10)
    return fmean(sizes_mb[tenth : 2 * tenth] or sizes_mb), fmean(sizes_mb[-2 * tenth : -tenth] or sizes_mb)


def _costs_table(classes: Sequence[Measured]) -> str:
    rows = []
    for one in classes:
        for part, costs in one.costs().items():
            notebook, ours = fmean(cost.notebook_s for cost in costs), fmean(cost.ours_s for cost in costs)
            rows.append([part, f"{one.name}, -j {one.jobs}", str(len(costs)), f"{notebook:.1f}", f"{ours:.1f}"])
    return table(["part", "class", "n", "notebook, s", "all else, s"], sorted(rows))


def _forecast_table(mixed: Mapping[int, Measured]) -> str:
    rows = []
    for machines, one in _forecast_machines(mixed):
        told = forecast(class_of(FORECAST_SIZE, SHARES, one.costs()), machines)
        whole = max(cost.total_s for cost in one.costs()[Part.WHOLE])
        times = [f"{told.wall_s / 60:.1f}", f"{told.notebooks_s / 60:.1f}", f"{told.overhead:+.0%}"]
        rows.append([machines.name, f"{one.name}, -j {one.jobs}", *times, f"{whole / 60:.1f}"])
    head = [
        f"class of {FORECAST_SIZE} on",
        "from",
        "wall, min",
        "its notebooks, min",
        "beside them",
        "longest submission, min",
    ]
    return table(head, rows)


def _forecast_machines(mixed: Mapping[int, Measured]) -> list[tuple[Machines, Measured]]:
    """Return what is forecast, each with the class whose costs it has."""
    chosen = [
        (Machines(f"this machine, -j {jobs}", jobs, 0.0, one.serial_s), one) for jobs, one in sorted(mixed.items())
    ]
    if 2 in mixed:  # each of two had one core of the machine to itself
        chosen.append((Machines("64 cores, -j 64", 64, 5.0, mixed[2].serial_s), mixed[2]))
    if 1 in mixed:  # one submission had both cores
        sent = _sent_bytes(mixed[1]) / NETWORK_BYTES_S
        chosen.append(
            (Machines("a cluster, 20 workers of 2 cores", 20, JOB_START_S, mixed[1].serial_s + sent), mixed[1])
        )
    return chosen


def _sent_bytes(one: Measured) -> float:
    """Return the mean size of what a worker sends back."""
    files = [path for path in one.folder.glob("graded/**/*") if path.is_file()]
    return sum(path.stat().st_size for path in files) / len(one.reports)


def _draw_memory(classes: Sequence[Measured]) -> None:
    one = max(classes, key=lambda one: (one.students, one.jobs))
    with plot("class-memory", f"Memory while a class of {one.name} is graded, -j {one.jobs}", "minutes", "MB") as axes:
        seconds, total, stays = zip(*one.memory(), strict=True)
        minutes = [second / 60 for second in seconds]
        axes.plot(minutes, total, lw=0.7, label="all processes, the sandboxes too")
        axes.plot(minutes, stays, lw=1.5, label="the command and its fork server")
        axes.set_ylim(0, 1.3 * max(total))


def _draw_time(classes: Sequence[Measured]) -> None:
    with plot("class-time", "Submissions graded over time", "minutes", "submissions") as axes:
        for one in classes:
            minutes = [0.0, *(second / 60 for second, _ in one.reports)]
            axes.step(minutes, range(len(minutes)), where="post", lw=1.2, label=f"{one.name}, -j {one.jobs}")
        axes.set(xlim=0, ylim=0)
