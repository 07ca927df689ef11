"""A class in which attackers sit beside honest students: graded for real, and then examined from outside."""

import hashlib
import re
import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

from autograder.engine.grading.pool import grade_all
from autograder.engine.grading.task import Grading
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.report import Outcome, Profile, Report, read_report
from autograder.engine.sandbox import Limits, SandboxKind
from tests.submissions import WRONG, fill
from tests.submissions.hostile import MARKER, Attack
from tests.submissions.hostile.attack import early
from tests.submissions.right import TASK_1, TASK_2

TIME_LIMIT = 48.0
WALL = 2 * 2 * TIME_LIMIT
"""Seconds: the notebook's own, a probe that is stopped at half of them, and what a loaded machine adds; two profiles."""

LIMITS = Limits(memory_mb=1024, processes=160, tmp_mb=96, file_mb=96, outbox_mb=64, outbox_files=1000)
ATTACKED_NAMES = 16
TEXTS_OF_GRADERS = ("pracuj na kopii, bo", "library_convolutions", "class_activation_map")

HONEST = {
    "prawy": early("") | TASK_1 | TASK_2,
    "krzywy": early("") | {name: source for name, source in WRONG.items() if name.startswith(("task1", "task2"))},
}
"""One who is right in Tasks 1 and 2, one who is partly wrong."""


@dataclass
class GradedClass:
    """What was graded, and what was seen of it from outside."""

    root: Path
    canary: str
    marker: str
    reports: dict[str, Report] = field(default_factory=dict)
    reached: list[str] = field(default_factory=list)
    changed: list[Path] = field(default_factory=list)

    def folder(self, student: str) -> Path:
        """Where a student's report and evidence are."""
        return self.root / "graded" / student / "cnn"

    def left_running(self) -> list[str]:
        """Processes of this machine that bear the attackers' name."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                names = (process / "comm").read_bytes() + (process / "cmdline").read_bytes()
            except OSError:
                continue
            if self.marker.encode() in names:
                found.append(process.name)
        return found

    def leaks(self, student: str) -> list[str]:
        """Files of a student's results that hold a canary; and the executed notebook, if it holds a grader's words."""
        files = [path for path in self.folder(student).rglob("*") if path.is_file()]
        found = [str(path) for path in files if self.canary.encode() in path.read_bytes()]
        executed = (self.folder(student) / "evidence" / "notebook.ipynb").read_text("utf-8")
        return found + [word for word in TEXTS_OF_GRADERS if word in executed]


def graded_together(attacks: Sequence[Attack]) -> Callable[[pytest.TempPathFactory], Iterator[GradedClass]]:
    """Return a fixture that grades the attackers as one class, once for the module that holds it."""

    @pytest.fixture(scope="module", name="graded")
    def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GradedClass]:
        with graded_class(attacks, tmp_path_factory.mktemp("class")) as found:
            yield found

    return graded


@contextmanager
def graded_class(
    attacks: Sequence[Attack], root: Path, sandbox: SandboxKind = SandboxKind.BWRAP, *, alone: bool = False
) -> Iterator[GradedClass]:
    """Grade the attackers as one class, two at a time, beside two honest students unless they are `alone`."""
    found = GradedClass(root, f"canary-{secrets.token_hex(16)}", f"splot-{secrets.token_hex(4)}")
    assert len(found.marker) == len(MARKER)
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("SPLOT_SECRET", "CI_TOKEN"):
            patch.setenv(name, found.canary)
        folders = (Path("/tmp"), Path.home(), root)  # noqa: S108 - where files of a host lie about
        guarded = [stack.enter_context(_canary_file(folder, found.canary)) for folder in folders]
        guarded.append(stack.enter_context(_guarded_folder(Path("/tmp") / found.marker, found.canary)))  # noqa: S108 - as attackers know it
        listeners = stack.enter_context(_listeners())
        honest = [] if alone else [Attack(name, "", "", cells) for name, cells in HONEST.items()]
        paths = [_write(attack, found) for attack in (*honest, *attacks)]
        before = {path: _digest(path) for path in (*guarded, *paths)}
        how = Grading(root / "graded", Profile.AUTO, sandbox=sandbox, time_limit=TIME_LIMIT, limits=LIMITS)
        found.reports = {done.report.student: done.report for done in grade_all(paths, load_assignment(), how, 2)}
        found.reached = [listener.getsockname() for listener in listeners if _reached(listener)]
        found.changed = [path for path, digest in before.items() if _digest(path) != digest]
        yield found


def _write(attack: Attack, found: GradedClass) -> Path:
    cells = {name: source.replace(MARKER, found.marker) for name, source in attack.cells.items()}
    if attack.name in HONEST:
        cells["task2_case_3"] += f"  # {found.canary}"
    notebook = fill(cells)
    if attack.reshape is not None:
        attack.reshape(notebook)
    path = found.root / "submitted" / attack.name / "cnn" / "cnn.ipynb"
    path.parent.mkdir(parents=True)
    path.write_text(nbformat.writes(notebook), "utf-8")
    return path


@contextmanager
def _canary_file(folder: Path, canary: str) -> Iterator[Path]:
    path = folder / f"{canary[:20]}.txt"
    path.write_text(canary)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _guarded_folder(folder: Path, canary: str) -> Iterator[Path]:
    """Make a folder at a place that attackers know, with a file in it that only the grader may read."""
    folder.mkdir(mode=0o700)
    try:
        with _canary_file(folder, canary) as path:
            path.chmod(0o400)
            yield path
    finally:
        folder.rmdir()


@contextmanager
def _listeners() -> Iterator[list[socket.socket]]:
    """Listen on the host: TCP, UDP, and an abstract socket."""
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(type=socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        udp.bind(("127.0.0.1", 0))
        _bind_abstract(abstract)
        abstract.listen()
        yield [tcp, udp, abstract]


def _bind_abstract(listener: socket.socket) -> None:
    """Take the first free of the names that the attackers try: other tests may listen beside this one."""
    for number in range(ATTACKED_NAMES):
        with suppress(OSError):
            return listener.bind(f"\0splot-listener-{number}")
    raise AssertionError("all the names are taken")


def _reached(listener: socket.socket) -> bool:
    listener.settimeout(0.05)
    try:
        listener.recv(1) if listener.type == socket.SOCK_DGRAM else listener.accept()[0].close()
    except TimeoutError:
        return False
    return True


def _digest(path: Path) -> str:
    if not path.exists():
        return "gone"
    return f"{path.stat().st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"


def text_of(report: Report) -> str:
    """Return all that a report tells its student in words."""
    return "\n".join([*report.notes, *(check.message for cell in report.cells for check in cell.checks)])


def earned(report: Report) -> dict[str, float]:
    """Return the points by cell, where there are any."""
    return {cell.id: cell.score for cell in report.cells if cell.score}


def assert_held(attack: Attack, found: GradedClass) -> None:
    """Assert that an attack gained nothing and got nowhere, and that its report says what happened."""
    report = found.reports[attack.name]
    assert (report.status, report.sandbox) == (Outcome.GRADED, "bwrap")
    assert earned(report) == {cell: points for cell, points in attack.earns.items() if points}
    assert tuple(cell.id for cell in report.undecided) == attack.open
    assert re.search(attack.says, text_of(report))
    assert "splot_probe_of_this_kernel' has no" not in text_of(report), "the attack no longer reaches what it attacks"
    assert read_report(found.folder(attack.name) / "report.json") == report
    assert all(line.isprintable() for line in text_of(report).split("\n"))
    assert found.leaks(attack.name) == []
    timing = report.timing
    assert timing.start_s + timing.notebook_s + timing.probe_s < WALL


def assert_class_untouched(found: GradedClass) -> None:
    """Assert that nothing outside the attackers' own sandboxes shows any trace of them."""
    assert found.changed == []
    assert found.reached == []
    assert found.left_running() == []
    assert not Path("/tmp/pickled").exists()  # noqa: S108 - where a pickle would leave its mark
    points = {name: (found.reports[name].score, found.reports[name].bonus) for name in HONEST}
    assert points == {"prawy": (7, 1), "krzywy": (2, 0)}
