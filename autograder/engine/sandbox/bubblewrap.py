"""Makes the bubblewrap command line for one sandboxed kernel.

A grader who is root puts a stage around it, which shows what the kernel needs and then drops root. Which folders of this
machine a sandboxed Python needs, and what in them must not be seen, is found out from the running interpreter.
"""

import os
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import autograder
from autograder.engine.sandbox.gpu import DEV, DRIVER_FILES, GPU
from autograder.engine.sandbox.sandbox import HOME, INSIDE, SANDBOX_UID, Sandbox
from autograder.engine.sandbox.seccomp import filter_program


@dataclass(slots=True)
class Arguments:
    """Options of one bubblewrap command being built, and the descriptors they name."""

    stack: ExitStack
    options: list[str] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)

    def add(self, *options: str | int | Path) -> None:
        """Append options as they stand."""
        self.options += [str(option) for option in options]

    def memory(self, content: bytes) -> int:
        """Open a descriptor that bubblewrap reads `content` from, and closes before the command starts."""
        descriptor = os.memfd_create("splot")
        self.stack.callback(os.close, descriptor)
        os.write(descriptor, content)
        os.lseek(descriptor, 0, os.SEEK_SET)
        self.descriptors.append(descriptor)
        return descriptor

    def file(self, target: str | Path, content: bytes) -> None:
        """Put a read-only file with `content` at `target`."""
        self.add("--perms", "0444", "--ro-bind-data", self.memory(content), target)

    def by_descriptor(self) -> list[str]:
        """Pass the options through a descriptor, so that process 1's command line shows no path of the host."""
        return ["bwrap", "--args", str(self.memory("".join(f"{o}\0" for o in self.options).encode()))]


PROJECT = Path(autograder.__file__).resolve().parent.parent
"""The checkout, or site-packages if the project is installed without `-e`."""

OWN_PACKAGES = ("autograder", "reference")
SYSTEM = Path("/usr")
USR = tuple(Path("/usr") / name for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"))
SYSTEM_FILES = (
    Path("/etc/ld.so.cache"),
    Path("/etc/alternatives"),
    Path("/etc/fonts"),  # matplotlib asks fontconfig, which complains in the cell's output without them
    Path("/usr/share/fontconfig"),
    Path("/usr/share/fonts"),
    Path("/sys/devices/system/cpu"),  # torch counts the cores here
)


@dataclass(frozen=True, slots=True)
class Installation:
    """The Python installation: read-only folders, and the entries in them that are hidden in the sandbox."""

    trees: tuple[Path, ...]
    covered_folders: tuple[Path, ...]
    covered_files: tuple[Path, ...]


@cache
def installation() -> Installation:
    """Find the running interpreter's folders, and hide this project in them: graders, reference and their paths."""
    prefixes = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    # Parents before children, each once. The system's own Python lies in /usr, of which only parts are bound.
    trees = tuple(
        tree for tree in sorted(prefixes | {p.resolve() for p in prefixes}) if tree not in (SYSTEM, Path("/"))
    )
    covered = sorted(path for path in set(_ours(trees)) if any(path.is_relative_to(tree) for tree in (*trees, *USR)))
    return Installation(
        trees,
        tuple(path for path in covered if path.is_dir()),
        tuple(path for path in covered if not path.is_dir()),
    )


def _ours(trees: tuple[Path, ...]) -> Iterator[Path]:
    """Our packages in site-packages, the files by which an editable install finds them, and all of a checkout.

    What of a checkout leads to one of the trees is left out, or they could not be seen.
    """
    for packages in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}:
        yield from (packages / name for name in OWN_PACKAGES if (packages / name).exists())
        # The metadata file stays: without it pip warns of a broken package at every call.
        yield from (entry for entry in packages.glob("splot-*.dist-info/*") if entry.name != "METADATA")
        yield from packages.glob("__editable__*splot*")
        yield from (pth for pth in packages.glob("*.pth") if str(PROJECT) in pth.read_text("utf-8", "replace"))
        yield from (packages / "__pycache__").glob("__editable__*splot*")
    if (PROJECT / "pyproject.toml").exists():
        yield from (child for child in PROJECT.iterdir() if not any(tree.is_relative_to(child) for tree in trees))


DROP_ROOT = (
    "setpriv", f"--reuid={SANDBOX_UID}", f"--regid={SANDBOX_UID}", "--clear-groups", "--no-new-privs",
    "--inh-caps=-all", "--bounding-set=-all", "--pdeathsig=KILL", "--",
)  # fmt: skip


def outer_stage(stack: ExitStack, sandbox: Sandbox) -> Arguments:
    """Bind everything that the inner stage binds, at the same paths, with the capability to become another user.

    The host's own /proc is bound, not a fresh one: as root bubblewrap covers parts of a fresh one, and then the kernel
    refuses the inner stage its own. What runs in the sandbox sees only the inner stage's.
    """
    args = Arguments(stack)
    args.add("--die-with-parent", "--unshare-pid", "--cap-drop", "ALL")
    for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
        args.add("--cap-add", capability)
    args.add("--perms", "0755", "--dir", "/tmp")  # noqa: S108 - the inner stage mounts its new root there, wherever TMPDIR is
    args.add("--bind", "/proc", "/proc", "--dev", "/dev")
    writable = (sandbox.outbox, sandbox.ipc)
    devices, driver = ((), ()) if sandbox.gpu is None else (sandbox.gpu.nodes, DRIVER_FILES)
    system = (*USR, *(Path("/") / folder.name for folder in USR), *SYSTEM_FILES, *driver)
    sources = {path.resolve() for path in system if path.exists() and not path.is_symlink()}
    sources |= {tree.resolve() for tree in installation().trees}
    sources |= {path for path in (sandbox.data, sandbox.inbox, *writable, *devices) if path is not None}
    for source in sorted(sources):
        for folder in reversed(source.parents[:-1]):
            args.add("--perms", "0755", "--dir", folder)
        how = "--dev-bind" if source in devices else "--bind" if source in writable else "--ro-bind"
        args.add(how, source, source)
    for link in (Path("/") / folder.name for folder in USR):
        if link.is_symlink():
            args.add("--symlink", f"usr/{link.name}", link)
    return args


INSIDE_UID = 1000
CONNECTION_FILE = INSIDE / "connection.json"
IPC = INSIDE / "ipc"
MIB = 2**20

ETC = {
    "/etc/passwd": f"student:x:{INSIDE_UID}:{INSIDE_UID}:student:{HOME}:/bin/sh\n",
    "/etc/group": f"student:x:{INSIDE_UID}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}


@dataclass(frozen=True, slots=True)
class SandboxCommand:
    """The command line of a process in a sandbox, and the descriptors it must inherit."""

    argv: tuple[str, ...]
    descriptors: tuple[int, ...]


@contextmanager
def sandbox_command(
    sandbox: Sandbox, command: Sequence[str], environment: dict[str, str], connection: bytes = b""
) -> Iterator[SandboxCommand]:
    """Make the command line that runs `command` in `sandbox`; start it inside the context, with a minimal environment.

    Args:
        sandbox: its directories exist.
        command: argument list, in paths as seen inside.
        environment: all that the command's environment will hold.
        connection: content of the kernel's connection file (`CONNECTION_FILE`).

    """
    limits = sandbox.limits
    # Set inside: RLIMIT_NPROC set outside would count a neighbour's processes too.
    limited = [
        "prlimit",
        f"--nproc={limits.processes}",
        f"--{'as' if sandbox.gpu is None else 'data'}={limits.address_mb * MIB}",
        f"--fsize={limits.file_mb * MIB}",
        f"--nofile={limits.open_files}",
        "--core=0",
        "--",
    ]
    with ExitStack() as stack:
        inner = _inner_stage(stack, sandbox, environment, connection)
        argv = [*inner.by_descriptor(), "--", *limited, *command]
        descriptors = inner.descriptors
        if os.geteuid() == 0:
            outer = outer_stage(stack, sandbox)
            argv = [*outer.by_descriptor(), "--", *DROP_ROOT, *argv]
            descriptors = descriptors + outer.descriptors
        if sandbox.cores:
            argv = ["taskset", "--cpu-list", ",".join(map(str, sandbox.cores)), *argv]
        yield SandboxCommand((shutil.which(argv[0]) or argv[0], *argv[1:]), tuple(descriptors))


def _inner_stage(stack: ExitStack, sandbox: Sandbox, environment: dict[str, str], connection: bytes) -> Arguments:
    args, inside = Arguments(stack), sandbox.inside
    args.add("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session")
    args.add("--uid", INSIDE_UID, "--gid", INSIDE_UID, "--hostname", "splot", "--cap-drop", "ALL", "--clearenv")
    for name, value in environment.items():
        args.add("--setenv", name, value)
    _add_system(args)
    size = sandbox.limits.tmp_mb * MIB
    args.add("--perms", "0755", "--size", size, "--tmpfs", HOME)
    for shared in ("/tmp", "/dev/shm"):  # noqa: S108 - the sandbox's own
        args.add("--perms", "1777", "--size", size, "--tmpfs", shared)
    if sandbox.gpu is not None:
        _add_gpu(args, sandbox.gpu)
    _add_python(args)  # after the file systems in memory: a Python below /tmp must not disappear under one
    if sandbox.data is not None:
        args.add("--ro-bind", sandbox.data, inside.data)
    for path, content in sandbox.sources().items():
        args.file(path, content)
    args.add("--ro-bind", sandbox.inbox, inside.inbox)
    args.add("--bind", sandbox.outbox, inside.outbox, "--bind", sandbox.ipc, IPC)
    args.file(CONNECTION_FILE, connection)
    if (program := filter_program(gpu=sandbox.gpu is not None)) is not None:
        args.add("--seccomp", args.memory(program))
    # Bubblewrap's own root and /dev are tmpfs of half the machine's memory: nothing may be written there.
    args.add("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", inside.work)
    return args


def _add_system(args: Arguments) -> None:
    for folder in USR:
        merged = Path("/") / folder.name
        if folder.is_dir():
            args.add("--ro-bind", folder.resolve(), folder)
        if merged.is_symlink():
            args.add("--symlink", f"usr/{folder.name}", merged)
        elif merged.is_dir():
            args.add("--ro-bind", merged, merged)
    for path in SYSTEM_FILES:
        if path.exists():
            args.add("--ro-bind", path.resolve(), path)
    for name, content in ETC.items():
        args.file(name, content.encode())
    # A shared mapping of /dev/zero is counted for no process; /dev/full reads the same and cannot be mapped.
    args.add("--proc", "/proc", "--dev", "/dev", "--dev-bind", "/dev/full", "/dev/zero")


def _add_gpu(args: Arguments, gpu: GPU) -> None:
    """Show one GPU's device files, and what the driver's library reads of the system beside them."""
    for node in gpu.nodes:
        args.add("--dev-bind", node, DEV / node.name)
    for path in DRIVER_FILES:
        if path.exists():
            args.add("--ro-bind", path.resolve(), path)


def _add_python(args: Arguments) -> None:
    python = installation()
    for tree in python.trees:
        args.add("--ro-bind", tree.resolve(), tree)
    for folder in python.covered_folders:
        args.add("--perms", "0555", "--size", 4096, "--tmpfs", folder, "--remount-ro", folder)
    for path in python.covered_files:
        args.file(path, b"")
