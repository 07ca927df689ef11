"""Detects which isolation features this machine has; each is tried, not inferred from a version number."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from autograder.engine.errors import GraderError
from autograder.engine.report import SandboxKind
from autograder.engine.sandbox.bubblewrap import sandbox_command
from autograder.engine.sandbox.gpu import DEV, GPU, found_gpus
from autograder.engine.sandbox.kernel import environment
from autograder.engine.sandbox.processes import PROC, descendants, host_uid, memory_in_use
from autograder.engine.sandbox.sandbox import Limits, Sandbox
from autograder.engine.sandbox.watchdog import parent_group
from autograder.engine.text import printable

PROGRAMS = ("bwrap", "prlimit", "setpriv", "taskset")
INSTALL = "Install it: `sudo apt-get install bubblewrap util-linux`."
INSTALL_FILTER = "Install it: `sudo apt-get install libseccomp2`, and here `pip install pyseccomp`."
ALLOW_NAMESPACES = (
    "Allow unprivileged user namespaces (Ubuntu: `sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0`; "
    "Docker: `--security-opt` with each of `seccomp=unconfined`, `apparmor=unconfined`, `systempaths=unconfined`)."
)
FILE_A_BUG = "Please report this machine's kernel and distribution."
GPU_TRIAL = """
import ctypes
try:
    ctypes.CDLL("libcuda.so.1")
except OSError:
    raise SystemExit("the driver's library libcuda.so.1 is not installed below /usr")
import torch
images = torch.ones(1, 1, 8, 8, device="cuda")
total = torch.nn.functional.conv2d(images, images[..., :3, :3]).sum().item()
assert (torch.cuda.device_count(), total) == (1, 324.0), (torch.cuda.device_count(), total)
print(torch.cuda.get_device_name())
"""
GPU_TRIAL_S = 120.0
TRIAL = "cat /proc/self/status /proc/self/limits; tail -n +3 /proc/net/dev; echo end; read -r _"


@dataclass(frozen=True, slots=True)
class Feature:
    """One thing that a sandbox needs of the machine.

    Attributes:
        name: a few words.
        ok: it was tried and holds.
        detail: what was found, one sentence.
        remedy: what to do where it does not hold; empty where it does.
        required: without it nothing is graded; otherwise its lack is a note in the report.

    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class _Trial:
    """The result of a trial command in a sandbox: its output, and measurements from outside."""

    inside: str
    complaint: str
    uid: int = 0
    memory: int = 0
    proportional: bool = False


@cache
def isolation() -> tuple[Feature, ...]:
    """Try everything that the sandbox relies on, once per process (about 0.1 s)."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return (Feature("bubblewrap", False, f"The program {missing[0]} is not installed.", INSTALL),)
    found = Feature("bubblewrap", True, f"{shutil.which('bwrap')}")
    trial = _try_sandbox()
    if not trial.inside:
        reason = trial.complaint or "It gave no answer."
        return (found, Feature("namespaces", False, f"Bubblewrap could not start: {reason}", ALLOW_NAMESPACES))
    return (found, Feature("namespaces", True, "User, pid, mount, network and ipc."), *_findings(trial))


def _findings(trial: _Trial) -> tuple[Feature, ...]:
    def feature(name: str, ok: bool, detail: str) -> Feature:
        return Feature(name, ok, detail, "" if ok else FILE_A_BUG)

    inside, limits = trial.inside.splitlines(), Limits()
    counted = "shared pages once" if trial.proportional else "shared pages once for each process"
    memory = f"{parent_group()[1]} A watchdog sums the process tree five times a second, {counted}."
    interfaces = [line.split(":")[0].strip() for line in inside if line.lstrip().startswith(("lo:", "eth", "en", "wl"))]
    processes = next((int(line.split()[2]) for line in inside if line.startswith("Max processes")), 0)
    filtered = "Seccomp:\t2" in inside
    return (
        feature("unprivileged", trial.uid != 0, f"Outside, the sandbox is user {trial.uid}."),
        feature("no capabilities", "CapEff:\t0000000000000000" in inside, "None is held inside."),
        feature("no network", interfaces == ["lo"], f"Interfaces: {', '.join(interfaces)}."),
        feature("process limit", processes == limits.processes, f"{processes} processes and threads."),
        feature("memory limit", trial.memory > 0, memory),
        Feature(
            "system-call filter", filtered, "On." if filtered else "No libseccomp.", "" if filtered else INSTALL_FILTER
        ),
    )


def _try_sandbox() -> _Trial:
    with (
        Sandbox.open(SandboxKind.BWRAP, code={}) as sandbox,
        sandbox_command(sandbox, ["sh", "-c", TRIAL], {"PATH": os.defpath}) as way,
        subprocess.Popen(  # noqa: S603 - our own command
            way.argv,
            pass_fds=way.descriptors,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.defpath},
            text=True,
        ) as process,
    ):
        try:
            lines: list[str] = []
            for line in process.stdout or ():
                if line == "end\n":
                    break
                lines.append(line)
            else:
                complaint = process.stderr.read(1000) if process.stderr else ""
                return _Trial("", complaint.strip().removeprefix("bwrap: "))
            leaf = descendants(process.pid)[-1]
            return _Trial(
                "".join(lines),
                "",
                host_uid(leaf),
                memory_in_use(process.pid, 0) if leaf != process.pid else 0,  # a /proc without `children` shows no tree
                os.access(PROC / str(leaf) / "smaps_rollup", os.R_OK),
            )
        finally:
            process.kill()


@cache
def try_gpus(dev: Path = DEV) -> tuple[str, ...]:
    """Have torch compute on each GPU in a sandbox, once per process (some seconds); return their names.

    Raises `GraderError` where there is no GPU, or one of them does not compute there.
    """
    with ThreadPoolExecutor() as threads:
        return tuple(threads.map(_try_gpu, found_gpus(dev)))


def _try_gpu(gpu: GPU) -> str:
    with (
        Sandbox.open(SandboxKind.BWRAP, code={}, gpu=gpu) as sandbox,
        sandbox_command(sandbox, [sys.executable, "-c", GPU_TRIAL], environment(sandbox)) as way,
    ):
        try:
            done = subprocess.run(  # noqa: S603 - our own command
                way.argv,
                check=False,
                pass_fds=way.descriptors,
                capture_output=True,
                env={"PATH": os.defpath},
                text=True,
                timeout=GPU_TRIAL_S,
            )
        except subprocess.TimeoutExpired:
            raise GraderError(f"The GPU {gpu.node} did not compute within {GPU_TRIAL_S:g} s in the sandbox.") from None
    if done.returncode != 0:
        complaint = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise GraderError(
            f"The GPU {gpu.node} does not compute in the sandbox: {printable(complaint, 300).rstrip('.')}."
        )
    return printable(done.stdout.strip(), 100)


def gpu_feature() -> Feature:
    """Say whether `--gpu` can be used here."""
    if any(feature.required and not feature.ok for feature in isolation()):
        return Feature("GPU for --gpu", False, "Not tried, since there is no sandbox.", required=False)
    try:
        return Feature("GPU for --gpu", True, f"{', '.join(try_gpus())}.", required=False)
    except GraderError as error:
        return Feature("GPU for --gpu", False, str(error), required=False)


def require(kind: SandboxKind, *, gpu: bool = False) -> None:
    """Make sure that sandboxes of this kind can be made here, with `gpu` ones that can use each of its GPUs.

    Raises:
        GraderError: a feature that the sandbox must have is missing; says which and what to do.

    """
    if gpu and kind is SandboxKind.NONE:
        raise GraderError(
            "--gpu gives the sandbox a GPU, and with --sandbox none there is none: leave one of them out."
        )
    for feature in () if kind is SandboxKind.NONE else isolation():
        if feature.required and not feature.ok:
            raise GraderError(
                f"The sandbox cannot run here ({feature.name}): {feature.detail} {feature.remedy} "
                "`--sandbox none` grades without one, and the report says so."
            )
    if gpu:
        try_gpus()
