"""The sandbox tried from within: what student code can reach, under real bubblewrap."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.errors import GraderError
from autograder.sandbox import (
    Limits,
    SandboxKind,
    isolation,
    require,
)
from autograder.sandbox.features import PROGRAMS
from autograder.sandbox.seccomp import filter_program
from autograder.sandbox.tree import host_uid
from tests.sandbox_lab import CANARY, PROJECT, Lab, needs_bubblewrap, opened

pytestmark = needs_bubblewrap


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One kernel shared by the tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("lab")
    data = folder / "data"
    data.mkdir()
    (data / "images").write_text("pixels", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPLOT_TEST_SECRET", CANARY)
        with opened(folder, limits=Limits(tmp_mb=32, file_mb=16, processes=96), data=data) as lab:
            lab.run("import errno, glob, os, signal, socket, subprocess, sys")
            yield lab


def test_every_feature_holds_or_says_what_to_do() -> None:
    """A feature that holds needs no remedy; a required one that does not, has one."""
    assert [feature.name for feature in isolation() if feature.required and not feature.ok] == []
    require(SandboxKind.BWRAP)


def test_without_bubblewrap_grading_refuses_and_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a machine without the program, `require` names it and the package; `none` asks for nothing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    isolation.cache_clear()
    try:
        with pytest.raises(GraderError, match=r"bwrap is not installed.*apt-get install bubblewrap"):
            require(SandboxKind.BWRAP)
        require(SandboxKind.NONE)
    finally:
        isolation.cache_clear()


def test_a_namespace_that_is_refused_is_told_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where bubblewrap is installed but fails, its own complaint is in the reason."""
    for program in (*PROGRAMS, "sh", "rm", "chmod"):
        (tmp_path / program).write_text("#!/bin/sh\necho 'bwrap: No permissions to create a namespace' >&2\nexit 1\n")
        (tmp_path / program).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    isolation.cache_clear()
    try:
        with pytest.raises(GraderError, match=r"No permissions to create a namespace.*sysctl"):
            require(SandboxKind.BWRAP)
    finally:
        isolation.cache_clear()


def test_the_network_is_empty(lab: Lab) -> None:
    """Neither a TCP listener of the host nor an abstract socket of it can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{CANARY}")
        abstract.listen()
        for listener in (tcp, abstract):
            listener.settimeout(0.05)
        port = tcp.getsockname()[1]
        code = "import socket; socket.create_connection(('127.0.0.1', {}), 2)"
        assert lab.run(code.format(port)) == "ConnectionRefusedError"
        code = "s = socket.socket(socket.AF_UNIX); s.connect('\\0{}')"
        assert lab.run(code.format(CANARY)) == "ConnectionRefusedError"
        for listener in (tcp, abstract):
            with pytest.raises(TimeoutError):
                listener.accept()
    assert lab.run("socket.create_connection(('192.0.2.1', 80), 2)") == "OSError"


def test_files_of_the_host_are_absent(lab: Lab, tmp_path: Path) -> None:
    """A file that is not bound does not exist: a host file, the checkout, the data set with its held-out labels."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY, "utf-8")
    for path in (secret, PROJECT / "pyproject.toml", "/usr/share/datasets", "/etc/shadow", "/etc/hostname", "/var"):
        assert lab.run(f"import os; print(os.path.exists({str(path)!r}))") == "False"
    assert lab.run(f"print(set(os.listdir({str(PROJECT)!r})) if os.path.exists({str(PROJECT)!r}) else set())") in {
        "set()",
        f"{{{Path(sys.prefix).name!r}}}",
    }


def test_our_packages_cannot_be_imported(lab: Lab) -> None:
    """Graders and reference are not importable, and nothing in site-packages names the checkout."""
    for module in ("autograder", "autograder.graders", "reference", "reference.convolution"):
        assert lab.run(f"import {module}") == "ModuleNotFoundError"
    code = f"""
        import site, pathlib
        for folder in site.getsitepackages():
            for path in pathlib.Path(folder).glob("*splot*"):
                for file in [path, *path.rglob("*")]:
                    if file.is_file() and {str(PROJECT)!r} in file.read_text(errors="replace"):
                        print(file)
    """
    assert lab.run(code) == ""


def test_the_environment_is_our_own(lab: Lab) -> None:
    """No process inside has a variable of the host's."""
    code = f"""
        import glob, os
        found = [os.environ[name] for name in os.environ if {CANARY!r} in os.environ[name]]
        for name in glob.glob("/proc/[0-9]*/environ"):
            if {CANARY!r} in open(name, errors="replace").read():
                found.append(name)
        print(found, os.environ["PIP_NO_INDEX"])
    """
    assert lab.run(code) == "[] 1"


def test_only_own_processes_are_seen(lab: Lab) -> None:
    """/proc shows a handful of processes, and process 1's command line tells no path of the room."""
    pids = [int(pid) for pid in lab.run("print(*[p for p in os.listdir('/proc') if p.isdigit()])").split()]
    assert max(pids) < 1000
    assert len(pids) <= len(lab.processes)
    line = lab.run("print(open('/proc/1/cmdline').read().replace(chr(0), ' '))")
    assert "bwrap" in line
    assert str(lab.room.base) not in line
    assert lab.run(f"os.kill({os.getpid()}, 0)") == "ProcessLookupError"


def test_no_descriptor_of_the_grader_is_inherited(lab: Lab) -> None:
    """Every open descriptor is the kernel's own: its log, a pipe, a socket, an anonymous inode, or /dev/null."""
    code = """
        links = []
        for n in os.listdir("/proc/self/fd"):
            try: links.append(os.readlink(f"/proc/self/fd/{n}"))
            except FileNotFoundError: pass
        print([l for l in links if not l.startswith(("socket:", "pipe:", "anon_inode:", "/dev/null", "/proc/"))])
    """
    assert lab.run(code) in {"[]", f"['{lab.room.log}']", f"['{lab.room.log}', '{lab.room.log}']"}


def test_root_is_dropped(lab: Lab) -> None:
    """Outside, the kernel is no privileged user; inside, it has no capability and can gain none."""
    assert host_uid(lab.processes[-1]) != 0
    code = (
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    )
    assert lab.run(code) == "['0000000000000000', '0000000000000000', '1']"
    assert lab.run("import subprocess; print(subprocess.run(['unshare', '-U', 'true']).returncode)") != "0"


def test_what_is_bound_is_read_only(lab: Lab) -> None:
    """Data, inbox, probe, Python, /, /dev and /etc cannot be written; nor can a module be replaced."""
    inside = lab.room.inside
    for folder in (inside.data, inside.inbox, inside.probe, sys.prefix, "/", "/dev", "/etc", "/splot", "/usr/bin"):
        assert lab.run(f"open({str(Path(folder) / 'x')!r}, 'w')") == "OSError"
    assert lab.run("open('/proc/sys/kernel/hostname', 'w').write('x')") in {"OSError", "PermissionError"}


def test_what_the_notebook_needs_is_there(lab: Lab) -> None:
    """`./data`, the inbox and the probe can be read, and what lies in the outbox is on the host."""
    inside = lab.room.inside
    (lab.room.inbox / "request").write_text("ask", "utf-8")
    assert lab.run("print(open('data/images').read(), os.getcwd())") == f"pixels {inside.work}"
    assert lab.run(f"print(open('{inside.inbox}/request').read())") == "ask"
    assert (
        lab.run(f"import sys; sys.path.insert(0, '{inside.probe.parent}'); import probe; print(probe.ANSWER)") == "42"
    )
    lab.run(f"open('{inside.outbox}/answer', 'w').write('told')")
    assert (lab.room.outbox / "answer").read_text("utf-8") == "told"


def test_memory_file_systems_and_files_are_bounded(lab: Lab) -> None:
    """A file ends at its limit, and so do the home directory, /tmp and /dev/shm."""
    code = """
        import errno
        def fill(folder):
            try:
                for n in range(8):
                    with open(f"{folder}/{n}", "wb") as f: f.write(bytes(8 << 20))
            except OSError as e: return errno.errorcode[e.errno]
            finally:
                for n in range(8):
                    if os.path.exists(f"{folder}/{n}"): os.remove(f"{folder}/{n}")
        print(fill("/tmp"), fill("/dev/shm"), fill(os.getcwd()))
        try: f = open("/tmp/big", "wb"); f.write(bytes(17 << 20)); f.flush()
        except OSError as e: print(errno.errorcode[e.errno])
        os.remove("/tmp/big")
    """
    assert lab.run(code).split() == ["ENOSPC", "ENOSPC", "ENOSPC", "EFBIG"]


def test_dangerous_system_calls_are_refused(lab: Lab) -> None:
    """Memory that nothing accounts for, the virtual machine's host, tracing and io_uring are out of reach."""
    if filter_program() is None:
        pytest.skip("no filter for this processor")
    code = """
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        def tried(f, *args): return f(*args), errno.errorcode[ctypes.get_errno()]
        print(tried(libc.memfd_create, b"x", 0), tried(libc.shmget, 0, 4096, 0o1600), tried(libc.syscall, 425, 1, 0))
        print(tried(libc.ptrace, 0, 0, 0, 0), tried(libc.socket, 40, 1, 0))
    """
    assert lab.run(code).splitlines() == [
        "(-1, 'ENOSYS') (-1, 'ENOSYS') (-1, 'ENOSYS')",
        "(-1, 'ENOSYS') (-1, 'EAFNOSUPPORT')",
    ]


def test_a_filter_for_each_known_processor() -> None:
    """The filter is whole instructions of 8 bytes, fits its one-byte jumps, and is None where numbers are unknown."""
    for machine in ("x86_64", "aarch64"):
        program = filter_program(machine)
        assert program is not None
        assert len(program) % 8 == 0
    assert filter_program("riscv64") is None


def test_a_fork_bomb_is_bounded_and_stays_inside(lab: Lab) -> None:
    """Forking ends with EAGAIN near the limit, and the kernel lives on."""
    code = """
        import errno, signal
        children = []
        try:
            while len(children) < 1000:
                pid = os.fork()
                if pid == 0:
                    signal.pause(); os._exit(0)
                children.append(pid)
        except OSError as e: print(errno.errorcode[e.errno], len(children) < 96)
        finally:
            for pid in children: os.kill(pid, 9); os.waitpid(pid, 0)
    """
    assert lab.run(code) == "EAGAIN True"
    assert lab.run("print('alive')") == "alive"


def test_an_endless_loop_is_interrupted_and_names_survive(lab: Lab) -> None:
    """The time limit of nbclient interrupts the cell, not the kernel."""
    lab.run("kept = 7")
    assert lab.run("while True: pass", timeout=1) == "KeyboardInterrupt"
    assert lab.run("print(kept)") == "7"
    assert lab.death() is None


def test_a_course_notebook_runs(lab: Lab) -> None:
    """Torch on two threads, a DataLoader with workers, a plot, a subprocess and pip work as in any notebook."""
    code = """
        import torch, subprocess
        from torch.utils.data import DataLoader, TensorDataset
        batches = DataLoader(TensorDataset(torch.ones(64, 1, 8, 8)), batch_size=16, num_workers=2)
        out = subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout.strip()
        print(torch.get_num_threads(), sum(int(x.sum()) for x, in batches), out)
    """
    assert lab.run(code).splitlines()[-1] == "2 4096 hello"
    assert "Figure" in lab.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); print('Figure'); plt.show()")
    assert "already satisfied" in lab.run("!pip install torchinfo")
    start = time.monotonic()
    assert "No matching distribution" in lab.run("!pip install no-such-package")
    assert time.monotonic() - start < 15
