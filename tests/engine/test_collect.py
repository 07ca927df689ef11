"""Collecting evidence from misbehaving notebooks, in the real sandbox: a cell's end costs that cell alone."""

import resource
import time
from pathlib import Path

import nbformat
import pytest
from jupyter_client.session import Session
from nbformat.v4 import new_code_cell, new_notebook, new_output

from autograder.engine.collecting.collect import Collection, TimeLimits, collect
from autograder.engine.collecting.output_buffer import OutputBuffer
from autograder.engine.collecting.runner import COLLECTING_MB, Runner
from autograder.engine.errors import GraderError
from autograder.engine.evidence.exchange import notebook_bytes
from autograder.engine.evidence.records import CellRun, Failure, Fault
from autograder.engine.judging.judge import gather_probes
from autograder.engine.notebook.repair import Cell
from autograder.engine.notebook.submission import Submission
from autograder.engine.report import Profile
from autograder.engine.sandbox import Limits
from autograder.lesson import LESSON
from autograder.lesson.datasets import data_folder
from autograder.lesson.observations import Flavour, LessonEvidence
from tests.submissions.convolutions import LOOPS

TEST = "task1_convolution_tests"
SAME = "task1_same_tests"


def collected(folder: Path, *sources: str, seconds: float = 20.0, memory_mb: int = 2048) -> LessonEvidence:
    """Run cells in the sandbox; one that holds only an id is the test cell of that id."""
    cells = tuple(
        Cell("code", "pass", source, locked=True) if source.endswith("_tests") else Cell("code", source)
        for source in sources
    )
    submission = Submission(folder / "cnn.ipynb", "someone", "0" * 64, cells, ())
    how = Collection(
        profile=Profile.QUICK,
        data=data_folder(Profile.QUICK),
        time=TimeLimits(seconds, 90.0),
        limits=Limits(memory_mb=memory_mb),
        dataset="FashionMNIST",
        probes=gather_probes(LESSON),
        schema=LESSON.schema,
        code=LESSON.code,
        recorders=LESSON.recorders,
    )
    collect(submission, "cnn", how, folder / "evidence")
    return LessonEvidence(folder / "evidence")


def run_of(evidence: LessonEvidence, index: int) -> CellRun:
    """Return how the cell at this place ended."""
    return next(run for run in evidence.file.runs if run.index == index)


def failure_of(evidence: LessonEvidence, index: int) -> Failure:
    """Return what went wrong in the cell at this place."""
    failure = run_of(evidence, index).failure
    assert failure is not None
    return failure


def answered(evidence: LessonEvidence) -> bool:
    """Whether the convolution was asked and gave an array."""
    record = evidence.call(TEST, "real", Flavour.NUMPY)
    return record is not None and record.array


NUMPY = "import numpy as np"


def test_exceptions_and_limits_cost_their_cell_alone(tmp_path: Path) -> None:
    """A cell that raises, one that never ends, one that exits by name: the next ones run in the same kernel."""
    evidence = collected(
        tmp_path,
        NUMPY,
        "x = 1\n1 / 0",
        "while True: pass",
        "exit()",
        "import sys; sys.exit(3)",
        LOOPS,
        TEST,
        seconds=4,
    )
    assert failure_of(evidence, 1) == Failure(Fault.ERROR, "ZeroDivisionError", "division by zero", 2)
    assert failure_of(evidence, 2).fault is Fault.TIMEOUT
    assert run_of(evidence, 3).failure is None
    assert failure_of(evidence, 4).type == "SystemExit"
    assert answered(evidence)


def test_a_killed_kernel_is_replayed_without_the_killer(tmp_path: Path) -> None:
    """After os._exit the earlier cells run again and later ones are judged; what was taken before stays taken."""
    evidence = collected(
        tmp_path, NUMPY, "def convolution_same(X, K, q):\n    return X", SAME, "import os; os._exit(7)", LOOPS, TEST
    )
    assert failure_of(evidence, 3).fault is Fault.DIED
    assert "7" in failure_of(evidence, 3).message
    assert run_of(evidence, 4).failure is None
    assert answered(evidence)
    assert evidence.call(SAME, "same_3", Flavour.NUMPY) is not None


@pytest.mark.soak
def test_a_function_that_kills_the_kernel_costs_its_probe_alone(tmp_path: Path) -> None:
    """When the probe's call ends the process, the next test cell is asked all the same."""
    evidence = collected(
        tmp_path,
        NUMPY,
        "def convolution_same(X, K, q):\n    import os\n    os._exit(1)",
        SAME,
        LOOPS,
        TEST,
    )
    probed = evidence.probed[SAME].failure
    assert probed is not None
    assert probed.fault is Fault.DIED
    assert answered(evidence)


@pytest.mark.soak
def test_a_function_that_never_ends_is_stopped(tmp_path: Path) -> None:
    """A call has ten seconds; then its record says so, and the others are taken."""
    evidence = collected(
        tmp_path,
        NUMPY,
        LOOPS
        + "    \nreal = convolution\ndef convolution(X, K, q):\n    while q == 10: pass\n    return real(X, K, q)",
        TEST,
    )
    record = evidence.call(TEST, "sheet_3", Flavour.NUMPY)
    assert record is not None
    assert record.failure is not None
    assert record.failure.fault is Fault.TIMEOUT
    assert answered(evidence)


STUBBORN = """
import time
while True:
    try:
        time.sleep(1)
    except KeyboardInterrupt:
        pass
"""
BAD_MESSAGES = """
deep = []
for _ in range(700):
    deep = [deep]
display({"application/json": deep}, raw=True)
get_ipython().kernel.iopub_thread.send_multipart([b"stream.stdout", b"<IDS|MSG>", b"00", b"{}", b"{}", b"{}", b"{}"])
"""
SQUAT = """
import os
for n in range(5000):
    open(f"/splot/outbox/{n}", "w").close()
import time; time.sleep(30)
"""


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(STUBBORN, marks=pytest.mark.soak),
        BAD_MESSAGES,
        pytest.param(SQUAT, marks=pytest.mark.soak),
    ],
    ids=["deaf to interrupts", "nonsense", "squatting"],
)
def test_a_kernel_that_goes_wild_costs_its_cell_alone(source: str, tmp_path: Path) -> None:
    """One that will not be interrupted, talks nonsense or fills the outbox is ended, and the rest is judged."""
    evidence = collected(tmp_path, NUMPY, source, LOOPS, TEST, seconds=8)
    assert run_of(evidence, 2).failure is None
    assert answered(evidence)


@pytest.mark.parametrize(
    "source",
    ["hog = np.ones(10**11 // 8)", pytest.param("hog = [np.ones(10**8) for _ in range(1000)]", marks=pytest.mark.soak)],
)
def test_memory_is_bounded(source: str, tmp_path: Path) -> None:
    """Allocating 100 GB, at once or piece by piece, is a memory fault of that cell, and the rest is judged."""
    evidence = collected(tmp_path, NUMPY, source, LOOPS, TEST, memory_mb=1024)
    assert failure_of(evidence, 1).fault is Fault.MEMORY
    assert answered(evidence)


def test_printing_a_gigabyte_keeps_a_megabyte(tmp_path: Path) -> None:
    """What a cell prints is cut off; the cell itself ends well."""
    evidence = collected(tmp_path, NUMPY, "for _ in range(1000): print('x' * 10**6)", LOOPS, TEST)
    assert run_of(evidence, 1).failure is None
    assert len(evidence.notebook.printed) < 1_100_000
    assert answered(evidence)


def test_an_exception_after_too_much_output_is_still_one(tmp_path: Path) -> None:
    """Where the limit leaves no output to show it, what the kernel replied says that the cell ended with it."""
    loud = "for size in [900_000] * 5 + [100] * 2_600: display({'text/plain': 'x' * size}, raw=True)\n1 / 0"
    evidence = collected(tmp_path, NUMPY, loud, LOOPS, TEST)
    assert failure_of(evidence, 1) == Failure(Fault.ERROR, "ZeroDivisionError", "division by zero", 2)
    assert answered(evidence)


def test_a_message_too_long_never_fills_the_grader(tmp_path: Path) -> None:
    """Of a message of 200 MB nothing is taken in, with a note; what later cells print is there, and the rest judged."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    long = "display({'text/plain': 'x' * (200 << 20)}, raw=True)"
    evidence = collected(tmp_path, NUMPY, long, "print('still here')", LOOPS, TEST)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10
    assert "still here" in evidence.notebook.printed
    assert "2" in evidence.file.notes[-1]
    assert answered(evidence)


PARTS = """
def parts(n, size):
    get_ipython().kernel.iopub_thread.socket.send_multipart([b"x" * size] * n)
parts(50, 6 << 20)
parts(100_000, 10)
"""
COMMS = """
import os
from comm import create_comm
comm = create_comm(target_name="jupyter.widget", data={"state": {"_model_name": "OutputModel", "x": "x" * 10**6}})
for n in range(60):
    comm.send({"state": {str(n): None}, "buffer_paths": [[str(n)]]}, buffers=[os.urandom(7 << 20)])
"""
HEADERS = """
kernel = get_ipython().kernel
parent = kernel.get_parent("shell")
for n in range(20):
    kernel.session.send(kernel.iopub_socket, "stream", {"name": "stdout", "text": "x"}, parent=parent,
                        metadata={"x": "x" * (7 << 20)}, header=None)
    kernel.session.send(kernel.iopub_socket, "execute_input", {"execution_count": "x" * (7 << 20)}, parent=parent)
"""
DISPLAYS = """
kernel = get_ipython().kernel
for n in range(3_000):
    for name in ("display_data", "update_display_data"):
        kernel.session.send(kernel.iopub_socket, name, {"data": {"text/plain": "x"}, "metadata": {},
                            "transient": {"display_id": str(n % 1500)}}, parent=kernel.get_parent("shell"))
    if n % 10 == 0:
        kernel.session.send(kernel.iopub_socket, "clear_output", {"wait": False}, parent=kernel.get_parent("shell"))
"""


@pytest.mark.parametrize(
    "source",
    [PARTS, COMMS, *(pytest.param(each, marks=pytest.mark.soak) for each in (HEADERS, DISPLAYS))],
    ids=["parts", "comms", "headers", "displays"],
)
def test_messages_of_any_shape_never_fill_the_grader(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many parts, buffers of comms, long headers, displays updated and cleared: hundreds of megabytes, of which none stays."""
    monkeypatch.setattr("autograder.engine.collecting.runner.RECOVERY_S", 30.0)  # other tests share the cores
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    evidence = collected(tmp_path, NUMPY, source, "print('still here')", LOOPS, TEST, seconds=90)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10
    assert run_of(evidence, 1).failure is None
    assert "still here" in evidence.notebook.printed
    assert answered(evidence)


TALKS_ON = """
kernel = get_ipython().kernel
parent = kernel.get_parent("shell")
other = dict(parent, header=dict(parent["header"], msg_id="other"))
while True:
    if {replies}:
        who = parent["header"]["session"].encode()
        kernel.session.send(kernel.parent.shell_socket, "execute_reply", {{"status": "ok"}}, other, who)
    else:
        kernel.session.send(kernel.iopub_socket, "stream", {{"name": "stdout", "text": "x"}}, other, b"stream")
"""


@pytest.mark.parametrize("channel", ["output", pytest.param("replies", marks=pytest.mark.soak)])
def test_a_kernel_that_talks_without_end_is_stopped_in_time(channel: str, tmp_path: Path) -> None:
    """Messages that never stop, so that nobody who waits for the last one comes to look at the clock: a fault of time."""
    source = TALKS_ON.format(replies=channel == "replies")
    started = time.monotonic()
    evidence = collected(tmp_path, NUMPY, source, LOOPS, TEST, seconds=6)
    assert failure_of(evidence, 1).fault is Fault.TIMEOUT
    assert time.monotonic() - started < 80
    assert answered(evidence)


FLOOD = """
def convolution_same(X, K, q):
    for _ in range(30):
        display({"text/plain": "x" * (5 << 20)}, raw=True)
    return X
"""


HUNGRY = {
    "a message is read": (Session, "deserialize", "hungry"),
    "output is kept": (OutputBuffer, "take", "hungry"),
    "output is joined": (OutputBuffer, "finish", ""),
    "the probe is asked": (Runner, "ask", "task1"),
}


@pytest.mark.parametrize(
    "when", [*list(HUNGRY)[:1], *(pytest.param(when, marks=pytest.mark.soak) for when in list(HUNGRY)[1:])]
)
def test_memory_that_the_grader_lacks_costs_no_points(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the grader's own limit no evidence is left that could be judged, wherever that was; then the limit is gone."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    owner, name, word = HUNGRY[when]
    own = getattr(owner, name)

    def hungry(*arguments: object) -> object:
        if word in repr(arguments[1:]):
            bytearray(2 * COLLECTING_MB * 2**20)
        return own(*arguments)

    monkeypatch.setattr(owner, name, hungry)
    with pytest.raises(GraderError, match=f"did not fit into {COLLECTING_MB} MiB"):
        collected(tmp_path, NUMPY, "print('hungry')", LOOPS, TEST)
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert not list((tmp_path / "evidence").iterdir())


@pytest.mark.soak
def test_output_that_nobody_keeps_never_fills_the_grader(tmp_path: Path) -> None:
    """Of the gigabytes that a function prints while the probe calls it, little waits to be read."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    evidence = collected(tmp_path, NUMPY, FLOOD, SAME, LOOPS, TEST)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10
    assert answered(evidence)


LOOK = """
import importlib.util, os, re, sys
found = [name for name in ("autograder", "reference", "tests")
         if (spec := importlib.util.find_spec(name)) and spec.origin]
files = [os.path.join(root, name) for root, _, names in os.walk("/") for name in names
         if not root.startswith(("/proc", "/sys"))
         and name in {"task1_convolution.py", "thresholds.toml", "secret", "cnn.ipynb"}]
words = [text for text in (str(sys.modules), str(os.environ)) if "autograder" in text or "SPLOT" in text]
held_out = os.path.exists("/usr/share/datasets")
print("FOUND", found, files, words, held_out)
"""
SCAN = """
import re
needles = [re.compile(text.encode()) for text in NEEDLES]
seen = set()
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        area, rights = line.split()[:2]
        start, end = (int(part, 16) for part in area.split("-"))
        if rights[0] == "r" and "[v" not in line and end - start < 2**28:
            try:
                memory.seek(start)
                content = memory.read(end - start)
            except (OSError, ValueError):
                continue
            seen |= {needle.pattern.decode() for needle in needles if needle.search(content)}
            del content
print("SEEN", sorted(seen), "of", len(needles))
"""


def test_nothing_of_the_graders_is_inside(tmp_path: Path) -> None:
    """A notebook that looks through files, modules and environment finds no grader, reference or held-out data."""
    evidence = collected(tmp_path, LOOK)
    assert "FOUND [] [] [] False" in evidence.notebook.printed


def test_nothing_of_the_graders_is_in_memory(tmp_path: Path) -> None:
    """A notebook that reads its own memory after a probe finds the probe's word, and no message of a grader's."""
    # A class of one character, so that the search does not find itself.
    needles = ["[o]brócony o 180", "[l]ibrary_convolutions", "[c]lass_activation_map", "[r]estored_generators"]
    evidence = collected(tmp_path, NUMPY, LOOPS, TEST, f"NEEDLES = {needles!r}", SCAN)
    assert f"SEEN {needles[-1:]} of 4" in evidence.notebook.printed


def test_the_executed_notebook_fits_its_cap() -> None:
    """The largest outputs give way until the file is as small as the judge will read; small ones stay."""
    cells = [new_code_cell("x", outputs=[new_output("stream", text="\n" * n)]) for n in (10, 40_000, 20_000)]
    content = notebook_bytes(new_notebook(cells=cells), limit=100_000)
    assert len(content) <= 100_000
    kept = nbformat.reads(content.decode(), as_version=4).cells
    assert [cell.outputs[0].text for cell in kept] == ["\n" * 10, "[…]", "[…]"]
