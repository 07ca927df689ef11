"""The memory cgroup: used where a trial held, and nowhere else; what it says of itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from autograder.engine.sandbox import watchdog
from autograder.engine.sandbox.watchdog import MemoryGroup, limit_holds, memory_guard, new_group, parent_group


def laid_out(root: Path, *controllers: str) -> Path:
    """Make folders as a cgroup file system lays them out: a slice, and a scope in it that this process would be in."""
    for folder in (root, root / "user.slice", root / "user.slice" / "own.scope"):
        folder.mkdir(exist_ok=True)
        (folder / "cgroup.subtree_control").write_text(" ".join(controllers) + "\n")
    own = root / "self"
    own.write_text("4:memory:/elsewhere\n0::/user.slice/own.scope\n")
    return own


def test_a_group_is_made_beside_ones_own_or_below_it(tmp_path: Path) -> None:
    """Where the parent hands its children the memory controller; a version 1 controller, or none, is no candidate."""
    own = laid_out(tmp_path, "cpu", "memory")
    slice_ = tmp_path / "user.slice"
    assert list(watchdog._candidates(tmp_path, own)) == [slice_, slice_ / "own.scope"]
    assert list(watchdog._candidates(tmp_path, laid_out(tmp_path, "cpu"))) == []
    own.write_text("4:memory:/elsewhere\n")
    assert list(watchdog._candidates(tmp_path, own)) == []
    own.write_text("0::/\n")
    laid_out(tmp_path, "memory")
    own.write_text("0::/\n")
    assert list(watchdog._candidates(tmp_path, own)) == [tmp_path]


def test_what_only_looks_like_a_cgroup_does_not_pass_its_trial(tmp_path: Path) -> None:
    """In a folder where files can be written but nothing is limited, the trial's process lives, and so it did not hold."""
    assert limit_holds(tmp_path) is False


def test_a_command_is_in_its_group_before_it_is_itself(tmp_path: Path) -> None:
    """The process writes its own id, its limit is written before, and the kernel's word on its end is understood."""
    group = MemoryGroup(tmp_path, 12345)
    assert (group.folder / "memory.max").read_text() == "12345\n"
    code = "import os; print(os.getpid())"
    done = subprocess.run(group.in_group([sys.executable, "-c", code]), check=True, capture_output=True, text=True)
    assert (group.folder / "cgroup.procs").read_text() == done.stdout
    assert not group.oom_killed()
    for said, oom_killed in (("low 0\noom 1\noom_kill 0\n", False), ("oom 2\noom_kill 13\noom_group_kill 1\n", True)):
        (group.folder / "memory.events").write_text(said)
        assert group.oom_killed() is oom_killed
    group.close()


def test_this_machine_says_which_guard_holds() -> None:
    """A trial that held makes groups; without one there are none, and a sentence says why."""
    parent, why = parent_group()
    assert why.endswith(".")
    assert memory_guard() == ("watchdog" if parent is None else "cgroup")
    if parent is None:
        assert new_group(2**30) is None


@pytest.mark.skipif(parent_group()[0] is None, reason="this machine gives no memory cgroup")
def test_a_group_is_gone_when_it_is_closed() -> None:
    """Whatever still runs in it is ended."""
    group = new_group(2**28)
    assert group is not None
    with subprocess.Popen(group.in_group(["sleep", "60"])) as sleeper:
        group.close()
        assert sleeper.wait(5) == -9
    group.close()
    assert not group.folder.exists()
