"""How sandboxes end: limits passed, shutdowns, a killed grader; and what is left behind, which is nothing."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from nbclient.exceptions import DeadKernelError

from autograder.engine.errors import GraderError
from autograder.engine.sandbox import (
    Cause,
    Death,
    Limits,
    Sandbox,
    SandboxKind,
)
from autograder.engine.sandbox.watchdog import written_bytes
from tests.engine.sandboxed_kernel import CANARY, PROJECT, SMALL, SandboxedKernel, gone, needs_bubblewrap, opened

pytestmark = needs_bubblewrap


@pytest.mark.parametrize(
    ("code", "cause", "number"),
    [
        ("import os; os._exit(3)", Cause.EXITED, 3),
        ("import os; os.kill(os.getpid(), 9)", Cause.KILLED, 9),
        ("for n in range(200): open(f'/splot/outbox/{n}', 'w')\nimport time; time.sleep(30)", Cause.DISK, 8),
        ("import os; os.symlink('/x', '/splot/ipc/x')\nimport time; time.sleep(30)", Cause.TAMPERED, 0),
    ],
)
def test_a_dead_kernel_says_why(tmp_path: Path, code: str, cause: Cause, number: int) -> None:
    """An exit, a signal, a flood of files and a link among the sockets are told apart."""
    with opened(tmp_path) as kernel:
        with pytest.raises(DeadKernelError):
            kernel.run(code)
        assert kernel.death() == Death(cause, number)
        kernel.stop()
        assert kernel.death() == Death(cause, number)


def test_memory_of_the_whole_tree_is_bounded(tmp_path: Path) -> None:
    """Four processes that together take more than allowed, though each alone does not, are ended; all die."""
    code = """
        import os, time
        for _ in range(4):
            if os.fork() == 0:
                held = b"x" * (200 << 20)
                time.sleep(60)
        time.sleep(60)
    """
    with opened(tmp_path) as kernel:
        first = kernel.processes[0]
        with pytest.raises(DeadKernelError):
            kernel.run(code)
        found = kernel.death()
        assert found is not None
        assert found.cause is Cause.MEMORY
        assert found.number >= SMALL.memory_mb
        assert gone([first])


def test_files_in_memory_count_as_memory(tmp_path: Path) -> None:
    """What lies in /tmp and /dev/shm, mapped by nobody, counts."""
    code = """
        import time
        for name in ("/tmp/a", "/dev/shm/b"):
            with open(name, "wb") as f: f.write(bytes(150 << 20))
        time.sleep(60)
    """
    with opened(tmp_path, limits=Limits(memory_mb=256, tmp_mb=512, file_mb=512)) as kernel:
        with pytest.raises(DeadKernelError):
            kernel.run(code)
        found = kernel.death()
        assert found is not None
        assert found.cause is Cause.MEMORY


DAEMON = """
    import subprocess
    subprocess.run(["sh", "-c", "setsid sh -c 'trap \\"\\" HUP TERM INT; sleep 1000; sleep 1000' >/dev/null 2>&1 &"])
"""


def test_nothing_outlives_a_shutdown_and_the_sandbox_starts_again(tmp_path: Path) -> None:
    """A detached process that ignores signals dies with its kernel; a fresh kernel starts in the same sandbox."""
    with opened(tmp_path) as kernel:
        kernel.run(DAEMON)
        tree = kernel.processes
        kernel.stop()
        assert gone(tree)
        assert kernel.death() is None
        again = SandboxedKernel(kernel.sandbox)
        assert again.run("print(1)") == "1"
        again.close()


GRADER = """
import sys, time
sys.path.insert(0, {project!r})
from pathlib import Path
from tests.engine.sandboxed_kernel import opened
with opened(Path({folder!r})) as kernel:
    kernel.run({daemon!r})
    print(kernel.sandbox.base, *kernel.processes, flush=True)
    time.sleep(60)
"""


def test_everything_dies_with_the_grader(tmp_path: Path) -> None:
    """SIGKILL to the grader leaves no process of its sandbox, detached ones included."""
    code = GRADER.format(project=str(PROJECT), folder=str(tmp_path), daemon=DAEMON)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as grader:
        assert grader.stdout is not None
        base, *tree = grader.stdout.readline().split()
        assert len(tree) >= 4
        grader.send_signal(signal.SIGKILL)
    assert gone([int(pid) for pid in tree])
    subprocess.run(["rm", "-rf", base], check=True)


def test_a_sandbox_is_deleted_whatever_lies_in_it(tmp_path: Path) -> None:
    """Folders deeper than Python recurses, or without permissions, go; what a link leads to stays."""
    kept = tmp_path / "kept"
    kept.write_text("x", "utf-8")
    with Sandbox.open(SandboxKind.BWRAP, code={"tests": PROJECT / "tests"}) as sandbox:
        (sandbox.outbox / "link").symlink_to(kept)
        deep = os.open(sandbox.outbox, os.O_RDONLY)
        for _ in range(1200):
            os.mkdir("d", dir_fd=deep)
            deep = _descend(deep)
        os.mkdir("closed", 0, dir_fd=deep)
        os.close(deep)
        assert written_bytes(sandbox, sandbox.limits) > sandbox.limits.outbox_mb << 20
    assert not sandbox.base.exists()
    assert kept.read_text("utf-8") == "x"


def _descend(folder: int) -> int:
    try:
        return os.open("d", os.O_RDONLY, dir_fd=folder)
    finally:
        os.close(folder)


def test_what_is_written_is_counted_as_the_disk_counts_it() -> None:
    """A sparse file weighs what it takes, not what it claims; files beyond the allowed number are too much."""
    with Sandbox.open(
        SandboxKind.BWRAP, code={"tests": PROJECT / "tests"}, limits=Limits(outbox_mb=8, outbox_files=10)
    ) as sandbox:
        with (sandbox.outbox / "sparse").open("wb") as sparse:
            sparse.truncate(1 << 40)
        assert written_bytes(sandbox, sandbox.limits) < 1 << 20
        (sandbox.outbox / "real").write_bytes(b"x" * (2 << 20))
        os.sync()
        assert 2 << 20 <= written_bytes(sandbox, sandbox.limits) < 3 << 20
        for number in range(9):
            (sandbox.outbox / f"{number}").touch()
        assert written_bytes(sandbox, sandbox.limits) > 8 << 20


def test_without_a_sandbox_its_kind_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kind `none` is an ordinary kernel in its own directory, with `./data` and a clean environment."""
    monkeypatch.setenv("SPLOT_TEST_SECRET", CANARY)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "images").write_text("pixels", "utf-8")
    with opened(tmp_path, SandboxKind.NONE, data=tmp_path / "data") as kernel:
        assert kernel.sandbox.kind is SandboxKind.NONE
        assert (
            kernel.run("import os; print(os.environ.get('SPLOT_TEST_SECRET'), os.getcwd())")
            == f"None {kernel.sandbox.work}"
        )
        assert kernel.run("print(open('data/images').read())") == "pixels"
        kernel.run(f"open({str(kernel.sandbox.inside.outbox / 'answer')!r}, 'w').write('told')")
        assert (kernel.sandbox.outbox / "answer").read_text("utf-8") == "told"
        with pytest.raises(DeadKernelError):
            kernel.run("os._exit(3)")
        assert kernel.death() == Death(Cause.EXITED, 3)


def test_a_sandbox_that_is_missing_a_folder_is_refused(tmp_path: Path) -> None:
    """A probe or data folder that does not exist is the grader's fault, told in a sentence."""
    with (
        pytest.raises(GraderError, match="does not exist"),
        Sandbox.open(SandboxKind.BWRAP, code={"none": tmp_path / "none"}),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="an unprivileged sandbox reads what its user may")
def test_a_folder_that_the_sandbox_could_not_read_is_refused(tmp_path: Path) -> None:
    """As root, a data folder closed to other users is told at once, not by a notebook that fails; the sandbox is gone."""
    before = set(Path(tempfile.gettempdir()).glob("splot-*"))
    with pytest.raises(GraderError, match="let every user read"):
        Sandbox.open(SandboxKind.BWRAP, code={"tests": PROJECT / "tests"}, data=tmp_path).__enter__()
    assert set(Path(tempfile.gettempdir()).glob("splot-*")) <= before


def as_nobody(folder: Path, code: str) -> list[str]:
    """Make a command line that runs Python as `nobody`, with this interpreter in reach."""
    base = Path(sys.base_prefix)
    private = [p for p in base.parents if p.stat().st_mode & 0o001 == 0]
    reach = [arg for p in private[-1:] for arg in ("--perms", "0755", "--tmpfs", str(p))]
    reach += [a for p in reversed(base.parents) if private and p.is_relative_to(private[-1]) and p != private[-1]
              for a in ("--perms", "0755", "--dir", str(p))]  # fmt: skip
    return [
        *("bwrap", "--bind", "/", "/", "--dev-bind", "/dev", "/dev", "--bind", "/proc", "/proc", *reach),
        *("--ro-bind", str(base), str(base), "--bind", str(folder), "/mnt", "--cap-drop", "ALL"),
        *("--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--", "setpriv", "--reuid=65534", "--regid=65534"),
        *("--clear-groups", "env", "-C", "/mnt", "HOME=/mnt", "TMPDIR=/mnt", sys.executable, "-c", code),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests already run unprivileged")
def test_an_unprivileged_grader_has_the_same_sandbox(tmp_path: Path) -> None:
    """Started by an ordinary user, every required feature holds, and a kernel runs."""
    tmp_path.chmod(0o777)
    code = f"""
import os, sys
sys.path.insert(0, {str(PROJECT)!r})
from pathlib import Path
from autograder.engine.sandbox import isolation
from tests.engine.sandboxed_kernel import opened
print(os.geteuid(), all(feature.ok for feature in isolation()))
with opened(Path("/mnt")) as kernel:
    print(kernel.run("import os; print(os.getuid(), os.path.exists('/mnt'))"))
"""
    done = subprocess.run(as_nobody(tmp_path, code), capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["65534", "True", "1000", "False"], done.stderr
