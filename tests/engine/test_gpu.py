"""`--gpu`: which device files a sandbox sees, who waits for whom, and what is said where there is no GPU to use.

Ordinary device files stand for a GPU's: what a sandbox shows of them is the same. What only a real one can show is at the end.
"""

import json
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from traitlets.config import Config

from autograder.engine.errors import GraderError
from autograder.engine.evidence import Evidence
from autograder.engine.grading import stages
from autograder.engine.grading.keys import report_key
from autograder.engine.grading.task import Grading
from autograder.engine.nbgrader.grade import _report
from autograder.engine.nbgrader.settings import Splot
from autograder.engine.notebook import read_submission
from autograder.engine.report import Profile
from autograder.engine.sandbox import GPU, Sandbox, SandboxKind, gpu_feature, lent_gpu, require
from autograder.engine.sandbox.bubblewrap import _inner_stage, sandbox_command
from autograder.engine.sandbox.gpu import found_gpus
from autograder.engine.sandbox.kernel import environment
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, SPLOT, task
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions import build
from tests.submissions.right import RIGHT

pytestmark = needs_bubblewrap
no_gpu = pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="says what happens without a GPU")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="puts another /dev in the place of this machine's")

NODES = {"nvidia0": 3, "nvidia1": 3, "nvidia10": 3, "nvidiactl": 7, "nvidia-uvm": 7, "nvidia-uvm-tools": 7}
OTHERS = ("nvidia-modeset", "nvidia-caps", "kfd", "dri")
"""What a machine may have beside them, and no sandbox gets."""


def make_node(path: Path, minor: int, mode: int = 0o666) -> None:
    """Make a device file of the kind of /dev/null; a plain file where that is not permitted."""
    try:
        os.mknod(path, stat.S_IFCHR | mode, os.makedev(1, minor))
    except PermissionError:
        path.touch()
    path.chmod(mode)


@pytest.fixture
def dev(tmp_path: Path) -> Path:
    """A folder like /dev of a machine with three GPUs."""
    folder = tmp_path / "dev"
    folder.mkdir()
    for name, minor in NODES.items():
        make_node(folder / name, minor)
    for name in OTHERS:
        make_node(folder / name, 3)
    return folder


def run_inside(code: str, gpu: GPU | None) -> str:
    """Run Python in a sandbox, as a kernel is run; return what it printed."""
    with (
        Sandbox.open(SandboxKind.BWRAP, code={}, gpu=gpu) as sandbox,
        sandbox_command(sandbox, [sys.executable, "-I", "-c", code], environment(sandbox)) as way,
    ):
        done = subprocess.run(
            way.argv, pass_fds=way.descriptors, capture_output=True, text=True, check=False, env={"PATH": os.defpath}
        )
    return done.stdout + done.stderr


LOOK = """
import os, json
here = {name: os.lstat(f"/dev/{name}").st_rdev for name in os.listdir("/dev")}
for name in here:
    if name.startswith("nvidia"):
        with open(f"/dev/{name}", "r+b", buffering=0):
            pass
print(json.dumps([here, os.environ.get("CUDA_VISIBLE_DEVICES"), os.path.exists("/sys/devices/system/node")]))
"""


def test_a_sandbox_sees_its_gpu_and_nothing_else(dev: Path) -> None:
    """Beside what each sandbox has there are the one GPU's file and those that CUDA needs; they can be opened, as number 0."""
    second = found_gpus(dev)[1]
    before, variable, nodes = json.loads(run_inside(LOOK, None))
    assert not [name for name in before if name.startswith("nvidia")]
    assert (variable, nodes) == (None, False)
    after, variable, nodes = json.loads(run_inside(LOOK, second))
    expected = {name: (dev / name).stat().st_rdev for name in NODES if name not in {"nvidia0", "nvidia10"}}
    assert {name: number for name, number in after.items() if name not in before} == expected
    assert (variable, nodes) == ("0", Path("/sys/devices/system/node").exists())


def test_the_command_line_binds_devices_after_the_empty_dev(dev: Path) -> None:
    """Only `--dev-bind` lets a device be used, and only what comes after `--dev` is not hidden by it."""
    gpu = found_gpus(dev)[0]
    with ExitStack() as stack:
        sandbox = stack.enter_context(Sandbox.open(SandboxKind.BWRAP, code={}, gpu=gpu))
        options = _inner_stage(stack, sandbox, {}, b"").options
    bound = [tuple(options[at + 1 : at + 3]) for at, option in enumerate(options) if option == "--dev-bind"]
    shared = [(str(dev / name), f"/dev/{name}") for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")]
    assert bound == [("/dev/full", "/dev/zero"), (str(dev / "nvidia0"), "/dev/nvidia0"), *shared]
    assert options.index("--dev") < options.index("--dev-bind")
    assert [option for option in options if option.startswith("/dev/n")] == [inside for _, inside in bound[1:]]


LIMITS = """
import ctypes, mmap, os
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
def tried(call):
    try:
        return call() is not None
    except (OSError, MemoryError):
        return False
reserve = lambda: libc.mmap(None, 64 << 30, 0, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1, 0) != 2**64 - 1
print(int(reserve()), *(int(tried(call)) for call in (
    lambda: os.memfd_create("a"),
    lambda: mmap.mmap(-1, 4096, mmap.MAP_SHARED | mmap.MAP_ANONYMOUS),
    lambda: mmap.mmap(-1, 9 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS),
)), *(int(libc.syscall(number, 0, 0, 0) < 0 and ctypes.get_errno() == 38) for number in (101, 323)))
"""


def test_limits_give_way_only_where_cuda_cannot_start(dev: Path) -> None:
    """With a GPU: reserved addresses, memfd and shared anonymous memory; not 9 GiB to write to, nor any other refused call."""
    assert run_inside(LIMITS, None) == "0 0 0 0 1 1\n"
    assert run_inside(LIMITS, found_gpus(dev)[0]) == "1 1 1 0 1 1\n"


def test_gpus_are_found_by_number_and_closed_ones_left_out(dev: Path) -> None:
    """Number 10 comes after 1; a GPU that only root may open, or nobody, is not lent."""
    assert [gpu.node.name for gpu in found_gpus(dev)] == ["nvidia0", "nvidia1", "nvidia10"]
    (dev / "nvidia0").chmod(0)
    assert [gpu.node.name for gpu in found_gpus(dev)] == ["nvidia1", "nvidia10"]


def test_why_there_is_no_gpu_is_one_sentence(dev: Path) -> None:
    """No device, AMD's, a driver that is half loaded, files that may not be opened: each says what to do."""
    (dev / "nvidia-uvm").chmod(0)
    with pytest.raises(GraderError, match=r"dev/nvidia-uvm cannot be used: let .* read and write it\.$"):
        found_gpus(dev)
    (dev / "nvidia-uvm").unlink()
    with pytest.raises(GraderError, match=r"dev/nvidia-uvm, which is not there: run `sudo nvidia-modprobe -c 0 -u`\.$"):
        found_gpus(dev)
    for node in dev.glob("nvidia*"):
        node.unlink()
    with pytest.raises(
        GraderError, match=r"there is no .*dev/nvidia0\. AMD's are not supported\. Grade without --gpu\.$"
    ):
        found_gpus(dev)
    (dev / "kfd").unlink()
    with pytest.raises(GraderError, match=r"there is no .*dev/nvidia0\. Grade without --gpu\.$"):
        found_gpus(dev)


HOLD = """
import sys
from pathlib import Path
from autograder.engine.sandbox.gpu import lent_gpu
with lent_gpu(Path(sys.argv[1])) as gpu:
    print(gpu.node.name, flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(dev: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that lends itself a GPU until it is told to end."""
    command = [sys.executable, "-c", HOLD, str(dev)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lent(process: subprocess.Popen[str]) -> str:
    """Wait until a process has a GPU; return the name of its file."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_gpu_has_one_student_at_a_time(dev: Path) -> None:
    """Processes get different GPUs; the surplus ones wait, and get the one whose holder was killed or has ended."""
    (dev / "nvidia10").unlink()
    with holder(dev) as first, holder(dev) as second:
        names = {lent(first): first, lent(second): second}
        assert set(names) == {"nvidia0", "nvidia1"}
        with holder(dev) as third:
            names["nvidia1"].kill()
            assert lent(third) == "nvidia1"
            with holder(dev) as fourth:
                names["nvidia0"].communicate()
                assert lent(fourth) == "nvidia0"


def test_the_lock_is_on_the_device_whatever_path_leads_to_it(dev: Path) -> None:
    """A process that comes by another name for the folder finds the GPU taken, and gets another."""
    same = dev.parent / "same"
    same.symlink_to(dev)
    with lent_gpu(same) as gpu, holder(dev) as other:
        assert (gpu.node.name, lent(other)) == ("nvidia0", "nvidia1")
    with lent_gpu(dev) as gpu:
        assert gpu.node.name == "nvidia0"


USES_GPU = CHEAP | {
    "task1_matrix": "import os\nif os.path.exists('/dev/nvidiactl'):\n    print('with', os.listdir('/dev').count('nvidia0'))",
}
FAILS_ON_GPU = CHEAP | {
    "task1_matrix": "import os\nassert not os.path.exists('/dev/nvidiactl'), 'CUDA error: out of memory'\nprint('without')",
}


def graded(cells: dict[str, str], folder: Path, dev: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Evidence]:
    """Grade a submission with a GPU; return what is in the report's notes, and the evidence."""
    monkeypatch.setattr(stages, "lent_gpu", partial(lent_gpu, dev))
    how = Grading(folder / "graded", Profile.QUICK, gpu=True)
    asked = task(cells, folder, how=how)
    report = stages.Stages(asked).up_to_date().report
    assert report.score == CHEAP_POINTS, report.reason
    return " ".join(report.notes), Evidence(asked.folder / "evidence")


def printed(evidence: Evidence) -> str:
    """Return what the notebook's cells printed."""
    return "".join(str(output.get("text", "")) for cell in evidence.notebook.cells for output in cell.outputs or ())


def test_a_notebook_runs_with_the_gpu_it_was_lent(tmp_path: Path, dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds the device, the evidence says so, and afterwards the GPU is free."""
    notes, evidence = graded(USES_GPU, tmp_path, dev, monkeypatch)
    assert "with 1" in printed(evidence)
    assert (evidence.file.gpu, "mógł korzystać" in notes) == (True, True)
    with lent_gpu(dev) as gpu:
        assert gpu.node.name == "nvidia0"


def test_a_gpu_that_fails_costs_no_points(tmp_path: Path, dev: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook that an error of CUDA stopped runs once more without a GPU, and the report says so."""
    notes, evidence = graded(FAILS_ON_GPU, tmp_path, dev, monkeypatch)
    assert "without" in printed(evidence)
    assert (evidence.file.gpu, "jeszcze raz, bez niej" in notes) == (False, True)


def test_with_and_without_a_gpu_are_two_reports(tmp_path: Path) -> None:
    """The key tells them apart, so that `--gpu` grades again what was graded without."""
    asked = task(CHEAP, tmp_path)
    submission = read_submission(asked.notebook, asked.assignment)
    keys = {report_key(submission, asked.assignment, replace(asked.how, gpu=gpu), "").evidence for gpu in (False, True)}
    assert len(keys) == 2


def test_nbgraders_course_has_the_setting() -> None:
    """`c.Splot.gpu` is what `--gpu` is."""
    settings = Splot(config=Config(Splot={"gpu": True}))
    assert (settings.grading().gpu, Splot().grading().gpu) == (True, False)


@no_gpu
def test_nbgrader_refuses_without_a_gpu(tmp_path: Path) -> None:
    """`nbgrader autograde` fails with the sentence of `splot grade`, before anything runs."""
    asked = task(CHEAP, tmp_path)
    settings = Splot(gpu=True)
    settings.root = tmp_path
    with pytest.raises(GraderError, match=r"^No NVIDIA GPU was found here"):
        _report(asked.notebook, asked.assignment, settings, run=True)
    assert not (asked.folder / "evidence").exists()


def test_without_a_sandbox_there_is_nothing_to_lend() -> None:
    """`--sandbox none` and `--gpu` contradict each other, and it is said."""
    with pytest.raises(GraderError, match="leave one of them out"):
        require(SandboxKind.NONE, gpu=True)


def splot(folder: Path, *arguments: str, dev: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command, in a mount namespace with another /dev if one is given."""
    command = [*SPLOT, *arguments]
    if dev is not None:
        command = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /dev && exec "$@"', str(dev), *command]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@no_gpu
def test_the_command_refuses_without_a_gpu(tmp_path: Path) -> None:
    """One sentence, exit code 2, and nothing is graded; `splot doctor` says the same and takes no offence."""
    build(CHEAP, tmp_path / "submitted", "ola")
    done = splot(tmp_path, "grade", "submitted", "--gpu")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "splot: No NVIDIA GPU was found here: there is no /dev/nvidia0. Grade without --gpu.\n"
    assert not (tmp_path / "graded").exists()
    feature = gpu_feature()
    assert (feature.ok, feature.required) == (False, False)
    assert "there is no /dev/nvidia0" in feature.detail


@pytest.fixture
def machine(dev: Path) -> Path:
    """The folder with one GPU alone, and with what any /dev has."""
    for name in ("nvidia1", "nvidia10"):
        (dev / name).unlink()
    for name, minor in {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}.items():
        make_node(dev / name, minor)
    os.mknod(dev / "tty", stat.S_IFCHR | 0o666, os.makedev(5, 0))
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    return dev


@no_gpu
@as_root
def test_the_command_refuses_a_gpu_that_does_not_compute(tmp_path: Path, machine: Path) -> None:
    """Device files that may not be opened, and some without a driver's library behind them: one sentence each, exit code 2."""
    build(CHEAP, tmp_path / "submitted", "ola")
    done = splot(tmp_path, "grade", "submitted", "--gpu", dev=machine)
    assert done.returncode == 2
    library = "the driver's library libcuda.so.1 is not installed below /usr"
    assert done.stderr == f"splot: The GPU /dev/nvidia0 does not compute in the sandbox: {library}.\n"
    (machine / "nvidia0").chmod(0o600)
    done = splot(tmp_path, "grade", "submitted", "--gpu", dev=machine)
    assert done.returncode == 2
    assert done.stderr.startswith("splot: The GPU's device file /dev/nvidia0 cannot be used: let every user")
    assert len(done.stderr.splitlines()) == 1


WHEN = """
import fcntl, time
print("at", time.monotonic())
try:
    fcntl.flock(open("/dev/nvidia0"), fcntl.LOCK_SH | fcntl.LOCK_NB)
except BlockingIOError:
    print("locked")
"""
CLASS = """
import sys
from pathlib import Path
from autograder.engine.grading import Grading, grade_all
from autograder.engine.notebook import load_assignment
from autograder.engine.report import Profile
if __name__ == "__main__":
    notebooks = sorted(Path("submitted").glob("*/cnn/cnn.ipynb"))
    how = Grading(Path("graded"), Profile.QUICK, gpu=True)
    print(*(done.report.score for done in grade_all(notebooks, load_assignment(), how, jobs=len(notebooks))))
"""


@no_gpu
@as_root
def test_a_class_shares_one_gpu_one_student_at_a_time(tmp_path: Path, machine: Path) -> None:
    """Two workers and one GPU: both students are graded, and what the one ran lies before what the other did."""
    for student in ("ala", "ola"):
        build(CHEAP | {"install": CHEAP["install"] + WHEN, "task5_cam": WHEN}, tmp_path / "submitted", student)
    (tmp_path / "a_class.py").write_text(CLASS)
    command = ["unshare", "-m", "sh", "-c", 'mount --bind "$0" /dev && exec "$@"', str(machine), sys.executable]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [*command, "a_class.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(CHEAP_POINTS)] * 2
    told = [printed(Evidence(tmp_path / "graded" / name / "cnn" / "evidence")) for name in ("ala", "ola")]
    assert [text.count("locked") for text in told] == [2, 2]
    spans = sorted([float(found) for found in re.findall(r"at (\d+\.\d+)", text)] for text in told)
    assert [len(span) for span in spans] == [2, 2]
    assert spans[0][1] < spans[1][0]


# On a machine with a GPU

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_gpu
def test_torch_computes_on_a_real_gpu_in_the_sandbox() -> None:
    """What `--gpu` asks of the machine before it grades anything."""
    require(SandboxKind.BWRAP, gpu=True)
    assert torch.cuda.get_device_name() in gpu_feature().detail


@needs_gpu
@pytest.mark.soak
def test_the_right_notebook_has_its_points_on_a_real_gpu(tmp_path: Path) -> None:
    """Trained on the GPU, verified and measured on the processor: all points."""
    build(RIGHT, tmp_path / "submitted", "ola")
    done = splot(tmp_path, "grade", "submitted", "--gpu", "--profile", "quick", "--json", "report.json")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["score"] == report["max_score"]
    assert Evidence(tmp_path / "graded" / "ola" / "cnn" / "evidence").file.gpu
