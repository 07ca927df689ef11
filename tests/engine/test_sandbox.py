"""The sandbox tried from within: what student code can reach, under real bubblewrap."""

import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyseccomp
import pytest

from autograder.engine.errors import GraderError
from autograder.engine.sandbox import Limits, SandboxKind, isolation, require
from autograder.engine.sandbox import processes as cores
from autograder.engine.sandbox.features import PROGRAMS
from autograder.engine.sandbox.processes import claimed, host_uid
from autograder.engine.sandbox.seccomp import BOUNDLESS_FCNTL, BUFFER_SIZES, CLONE_FILES, NEW_NAMESPACES, REFUSED
from tests.engine.sandboxed_kernel import CANARY, PROJECT, SMALL, SandboxedKernel, needs_bubblewrap, opened

pytestmark = needs_bubblewrap


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxedKernel]:
    """One kernel shared by the tests that leave it as they found it."""
    folder = tmp_path_factory.mktemp("kernel")
    data = folder / "data"
    data.mkdir()
    (data / "images").write_text("pixels", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPLOT_TEST_SECRET", CANARY)
        with opened(folder, limits=Limits(tmp_mb=32, file_mb=16, processes=96), data=data) as kernel:
            kernel.run("import errno, glob, os, signal, socket, subprocess, sys")
            yield kernel


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


def test_the_network_is_empty(kernel: SandboxedKernel) -> None:
    """Neither a TCP listener of the host nor an abstract socket of it can be reached."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        abstract.bind(f"\0{CANARY}")
        abstract.listen()
        for listener in (tcp, abstract):
            listener.settimeout(0.05)
        port = tcp.getsockname()[1]
        code = "import socket; socket.create_connection(('127.0.0.1', {}), 2)"
        assert kernel.run(code.format(port)) == "ConnectionRefusedError"
        code = "s = socket.socket(socket.AF_UNIX); s.connect('\\0{}')"
        assert kernel.run(code.format(CANARY)) == "ConnectionRefusedError"
        for listener in (tcp, abstract):
            with pytest.raises(TimeoutError):
                listener.accept()
    assert kernel.run("socket.create_connection(('192.0.2.1', 80), 2)") == "OSError"


def test_files_of_the_host_are_absent(kernel: SandboxedKernel, tmp_path: Path) -> None:
    """A file that is not bound does not exist: a host file, the checkout, the data set with its held-out labels."""
    secret = tmp_path / "secret"
    secret.write_text(CANARY, "utf-8")
    for path in (secret, PROJECT / "pyproject.toml", "/usr/share/datasets", "/etc/shadow", "/etc/hostname", "/var"):
        assert kernel.run(f"import os; print(os.path.exists({str(path)!r}))") == "False"
    assert kernel.run(f"print(set(os.listdir({str(PROJECT)!r})) if os.path.exists({str(PROJECT)!r}) else set())") in {
        "set()",
        f"{{{Path(sys.prefix).name!r}}}",
    }


def test_our_packages_cannot_be_imported(kernel: SandboxedKernel) -> None:
    """Graders and reference are not importable, and nothing in site-packages names the checkout."""
    for module in ("autograder", "autograder.lesson.graders", "reference", "reference.convolution"):
        assert kernel.run(f"import {module}") == "ModuleNotFoundError"
    code = f"""
        import site, pathlib
        for folder in site.getsitepackages():
            for path in pathlib.Path(folder).glob("*splot*"):
                for file in [path, *path.rglob("*")]:
                    if file.is_file() and {str(PROJECT)!r} in file.read_text(errors="replace"):
                        print(file)
    """
    assert kernel.run(code) == ""


def test_mounts_tell_no_place_of_the_project_nor_of_what_is_graded(kernel: SandboxedKernel) -> None:
    """What is mounted comes from random names below the temporary folder, the data set's, the system's and Python's own."""
    told = kernel.run("print(*{line.split()[3] for line in open('/proc/self/mountinfo')}, sep='\\n')").splitlines()
    python = [Path(prefix).resolve() for prefix in (sys.prefix, sys.base_prefix)]
    places = [Path(path) for path in told if not any(Path(path).is_relative_to(prefix) for prefix in python)]
    assert not any(path.is_relative_to(PROJECT) for path in places)
    assert not any(path.is_relative_to(folder) for path in places for folder in kernel.sandbox.code.values())
    assert not any("graded" in path.parts or "submitted" in path.parts for path in places)


def test_what_a_training_step_frees_is_kept_for_the_next(kernel: SandboxedKernel) -> None:
    """Four feature maps of 12 MB, made and freed twenty times, take their pages from the system only once."""
    code = """
        import resource
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for step in range(20):
            maps = [bytearray(12 * 2**20) for _ in range(4)]
            del maps
        pages = 4 * 12 * 2**20 // resource.getpagesize()
        print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // pages)
    """
    assert int(kernel.run(code)) <= 1


def test_the_environment_is_our_own(kernel: SandboxedKernel) -> None:
    """No process inside has a variable of the host's."""
    code = f"""
        import glob, os
        found = [os.environ[name] for name in os.environ if {CANARY!r} in os.environ[name]]
        for name in glob.glob("/proc/[0-9]*/environ"):
            if {CANARY!r} in open(name, errors="replace").read():
                found.append(name)
        print(found, os.environ["PIP_NO_INDEX"])
    """
    assert kernel.run(code) == "[] 1"


def test_only_own_processes_are_seen(kernel: SandboxedKernel) -> None:
    """/proc shows a handful of processes, and process 1's command line tells no path of the sandbox."""
    pids = [int(pid) for pid in kernel.run("print(*[p for p in os.listdir('/proc') if p.isdigit()])").split()]
    assert max(pids) < 1000
    assert len(pids) <= len(kernel.processes)
    line = kernel.run("print(open('/proc/1/cmdline').read().replace(chr(0), ' '))")
    assert "bwrap" in line
    assert str(kernel.sandbox.base) not in line
    assert kernel.run(f"os.kill({os.getpid()}, 0)") == "ProcessLookupError"


def test_no_descriptor_of_the_grader_is_inherited(kernel: SandboxedKernel) -> None:
    """Every open descriptor is the kernel's own: its log, a pipe, a socket, an anonymous inode, or /dev/null."""
    code = """
        links = []
        for n in os.listdir("/proc/self/fd"):
            try: links.append(os.readlink(f"/proc/self/fd/{n}"))
            except FileNotFoundError: pass
        print([l for l in links if not l.startswith(("socket:", "pipe:", "anon_inode:", "/dev/null", "/proc/"))])
    """
    assert kernel.run(code) in {"[]", f"['{kernel.sandbox.log}']", f"['{kernel.sandbox.log}', '{kernel.sandbox.log}']"}


def test_root_is_dropped(kernel: SandboxedKernel) -> None:
    """Outside, the kernel is no privileged user; inside, it has no capability and can gain none."""
    assert host_uid(kernel.processes[-1]) != 0
    code = (
        "print([l.split()[1] for l in open('/proc/self/status') if l.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    )
    assert kernel.run(code) == "['0000000000000000', '0000000000000000', '1']"
    # What it complains of would come at any time later, as another cell's output.
    run = "import subprocess; print(subprocess.run(['unshare', '-U', 'true'], stderr=subprocess.DEVNULL).returncode)"
    assert int(kernel.run(run)) > 0


def test_what_is_bound_is_read_only(kernel: SandboxedKernel) -> None:
    """Data, inbox, probe, Python, /, /dev and /etc cannot be written; nor can a module be replaced."""
    inside = kernel.sandbox.inside
    for folder in (
        inside.data,
        inside.inbox,
        inside.code / "probe",
        sys.prefix,
        "/",
        "/dev",
        "/etc",
        "/splot",
        "/usr/bin",
    ):
        assert kernel.run(f"open({str(Path(folder) / 'x')!r}, 'w')") == "OSError"
    assert kernel.run("open('/proc/sys/kernel/hostname', 'w').write('x')") in {"OSError", "PermissionError"}


def test_what_the_notebook_needs_is_there(kernel: SandboxedKernel) -> None:
    """`./data`, the inbox and the probe can be read, and what lies in the outbox is on the host."""
    inside = kernel.sandbox.inside
    (kernel.sandbox.inbox / "request").write_text("ask", "utf-8")
    assert kernel.run("print(open('data/images').read(), os.getcwd())") == f"pixels {inside.work}"
    assert kernel.run(f"print(open('{inside.inbox}/request').read())") == "ask"
    assert kernel.run(f"import sys; sys.path.insert(0, '{inside.code}'); import probe; print(probe.ANSWER)") == "42"
    kernel.run(f"open('{inside.outbox}/answer', 'w').write('told')")
    assert (kernel.sandbox.outbox / "answer").read_text("utf-8") == "told"


def test_memory_file_systems_and_files_are_bounded(kernel: SandboxedKernel) -> None:
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
    assert kernel.run(code).split() == ["ENOSPC", "ENOSPC", "ENOSPC", "EFBIG"]


def test_every_refused_system_call_is_refused(kernel: SandboxedKernel) -> None:
    """Each call of each group answers as on a kernel without it, and new namespaces are denied to `clone`."""
    here = pyseccomp.system_arch()
    names = [name for group in REFUSED for name in group.calls]
    numbers = [pyseccomp.resolve_syscall(here, name) for name in names]
    code = f"""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        def tried(number, *args):
            return errno.errorcode[ctypes.get_errno()] if libc.syscall(number, *args) == -1 else "allowed"
        print({{tried(number, 0, 0, 0, 0) for number in {[n for n in numbers if n >= 0]}}})
        clone = {pyseccomp.resolve_syscall(here, "clone")}
        print({{tried(clone, flag | signal.SIGCHLD, 0, 0, 0, 0) for flag in {NEW_NAMESPACES}}})
    """
    assert kernel.run(code).splitlines() == ["{'ENOSYS'}", "{'EPERM'}"]


def test_memory_out_of_sight_is_refused_however_the_arguments_are_written(kernel: SandboxedKernel) -> None:
    """Of an `int` the kernel reads the lower half: what stands in the upper one leads past no rule."""
    here = pyseccomp.system_arch()
    fcntl, setsockopt = (pyseccomp.resolve_syscall(here, name) for name in ("fcntl", "setsockopt"))
    code = f"""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        def tried(*args):
            done = libc.syscall(*[ctypes.c_long(arg) for arg in args])
            return errno.errorcode[ctypes.get_errno()] if done == -1 else "allowed"
        reading, writing = os.pipe()
        print({{tried({fcntl}, writing, command | upper, 0) for command in {BOUNDLESS_FCNTL} for upper in (0, 1 << 32)}})
        one, size = socket.socket(), ctypes.c_int(4096)
        before = [one.getsockopt(socket.SOL_SOCKET, option) for option in {BUFFER_SIZES[:2]}]
        for option in {BUFFER_SIZES}:
            for upper in (0, 1 << 32):
                tried({setsockopt}, one.fileno(), 1 | upper, option, ctypes.addressof(size), 4)
                tried({setsockopt}, one.fileno(), 1, option | upper, ctypes.addressof(size), 4)
        print([one.getsockopt(socket.SOL_SOCKET, option) for option in {BUFFER_SIZES[:2]}] == before)
    """
    assert kernel.run(code).splitlines() == ["{'EPERM'}", "True"]


def test_open_files_belong_to_one_process_and_its_threads_alike(kernel: SandboxedKernel) -> None:
    """No thread has a table of its own, no process another's: neither would show what it holds."""
    here = pyseccomp.system_arch()
    clone, close_range = (pyseccomp.resolve_syscall(here, name) for name in ("clone", "close_range"))
    code = f"""
        import ctypes, errno, signal
        libc = ctypes.CDLL(None, use_errno=True)
        def tried(*args):
            return errno.errorcode[ctypes.get_errno()] if libc.syscall(*args) == -1 else "allowed"
        print(tried({clone}, {CLONE_FILES} | signal.SIGCHLD, 0, 0, 0, 0), tried({close_range}, 900, 901, 2))
        print(tried({close_range}, 900, 901, 0))
    """
    assert kernel.run(code).splitlines() == ["EPERM EPERM", "allowed"]


def test_files_are_copied_and_sent_without_what_is_refused(kernel: SandboxedKernel) -> None:
    """Python and the system's own programs do without `sendfile` and `splice`."""
    code = """
        import shutil, subprocess
        with open("/tmp/a", "wb") as file: file.write(b"x" * 100_000)
        shutil.copyfile("/tmp/a", "/tmp/b")
        subprocess.run("cp /tmp/a /tmp/c; cat /tmp/a | cat > /tmp/d", shell=True, check=True)
        near, far = socket.socketpair()
        with open("/tmp/a", "rb") as file: near.sendfile(file, count=1000)
        print([os.path.getsize(f"/tmp/{name}") for name in "bcd"], len(far.recv(2000)))
        for name in "abcd": os.remove(f"/tmp/{name}")
    """
    assert kernel.run(code) == "[100000, 100000, 100000] 1000"


def test_socket_families_beyond_the_network_namespace_are_refused(kernel: SandboxedKernel) -> None:
    """Only UNIX, INET, INET6 and NETLINK sockets can be made; a virtual machine's host is out of reach."""
    code = """
        made = []
        for family in [*range(64), 2**31 - 1]:
            try: socket.socket(family, socket.SOCK_DGRAM).close(); made.append(family)
            except OSError: pass
        print(*made)
    """
    assert kernel.run(code) == "1 2 10 16"


def test_every_group_of_calls_has_its_reason() -> None:
    """No group is empty, none is without a reason, no call stands in two."""
    calls = [call for group in REFUSED for call in group.calls]
    assert len(calls) == len(set(calls))
    assert all(group.why.endswith(".") and group.calls for group in REFUSED)


def test_a_fork_bomb_is_bounded_and_stays_inside(kernel: SandboxedKernel) -> None:
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
    assert kernel.run(code) == "EAGAIN True"
    assert kernel.run("print('alive')") == "alive"


def test_an_endless_loop_is_interrupted_and_names_survive(kernel: SandboxedKernel) -> None:
    """The time limit of nbclient interrupts the cell, not the kernel."""
    kernel.run("kept = 7")
    assert kernel.run("while True: pass", timeout=1) == "KeyboardInterrupt"
    assert kernel.run("print(kept)") == "7"
    assert kernel.death() is None


def test_a_course_notebook_runs(kernel: SandboxedKernel) -> None:
    """Torch on two threads, a DataLoader with workers, a plot, a subprocess and pip work as in any notebook."""
    code = """
        import torch, subprocess
        from torch.utils.data import DataLoader, TensorDataset
        batches = DataLoader(TensorDataset(torch.ones(64, 1, 8, 8)), batch_size=16, num_workers=2)
        out = subprocess.run(["echo", "hello"], capture_output=True, text=True).stdout.strip()
        print(torch.get_num_threads(), sum(int(x.sum()) for x, in batches), out)
    """
    assert kernel.run(code).splitlines()[-1] == "2 4096 hello"
    assert "Figure" in kernel.run("import matplotlib.pyplot as plt; plt.plot([1, 2]); print('Figure'); plt.show()")
    assert "already satisfied" in kernel.run("!pip install torchinfo")
    start = time.monotonic()
    assert "No matching distribution" in kernel.run("!pip install no-such-package")
    assert time.monotonic() - start < 15


def test_a_sandbox_with_neighbours_keeps_to_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given cores nobody else claims, is put back when it leaves them, and claims none where too few are free."""
    monkeypatch.setattr(cores, "CLAIM", f"splot-test-{os.getpid()}")  # other tests run beside this one
    with claimed(1) as (first,), opened(tmp_path, limits=replace(SMALL, cores=1, shared=True)) as kernel:
        own = " ".join(map(str, kernel.sandbox.cores))
        assert own != str(first)
        assert kernel.run("import os, time; print(*os.sched_getaffinity(0))") == own
        kernel.run(f"os.sched_setaffinity(0, [{first}])\nwhile os.sched_getaffinity(0) == {{{first}}}: time.sleep(0.1)")
        assert kernel.run("print(*os.sched_getaffinity(0))") == own
        with claimed(len(os.sched_getaffinity(0))) as taken:
            assert taken == ()
