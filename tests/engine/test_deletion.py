"""Deleting what hostile code made: nothing outside the tree is touched, whatever happens to it meanwhile."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from autograder.engine import files
from autograder.engine.evidence.exchange import take
from autograder.engine.files import delete
from autograder.engine.sandbox import Sandbox, SandboxKind
from autograder.engine.sandbox.watchdog import written_bytes
from autograder.lesson import LESSON
from tests.engine.sandboxed_kernel import PROJECT

CELL = "task2_case_1_tests"


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """Give a folder of the host's with a file that only its owner may read."""
    folder = tmp_path / "precious"
    folder.mkdir(mode=0o700)
    (folder / "file").write_text("kept", "utf-8")
    (folder / "file").chmod(0o400)
    return folder


def assert_untouched(precious: Path) -> None:
    """Assert that the host's folder is as it was."""
    assert precious.stat().st_mode & 0o777 == 0o700
    assert (precious / "file").stat().st_mode & 0o777 == 0o400
    assert (precious / "file").read_text("utf-8") == "kept"


def grown(tree: Path) -> Path:
    """Make a tree with files, a folder without permissions, and one like the numbers that are given on the way."""
    for name in ("a/b/c/d", "a/1/2", "1/1/1", "locked"):
        (tree / name).mkdir(parents=True)
        (tree / name / "file").write_text("x")
    (tree / "locked").chmod(0)
    return tree


def test_a_link_is_deleted_and_not_followed(tmp_path: Path, precious: Path) -> None:
    """At the top or deep below, alone or beside folders."""
    tree = grown(tmp_path / "tree")
    (tree / "a" / "b" / "link").symlink_to(precious)
    (tmp_path / "link").symlink_to(precious)
    assert delete(tmp_path / "link")
    assert delete(tree)
    assert delete(tmp_path / "nothing" / "there")
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]
    assert_untouched(precious)


def test_a_folder_swapped_for_a_link_is_not_followed(
    tmp_path: Path, precious: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each folder becomes a link to the host's right before it is opened, and again right before it is removed."""
    tree, aside = grown(tmp_path / "tree"), tmp_path / "aside"
    aside.mkdir()
    real = files.opened_folder
    swapped: list[str] = []

    @contextmanager
    def swapping(name: str, parent: int) -> Iterator[int]:
        if len(swapped) < 20:
            swapped.append(name)
            os.rename(name, aside / str(len(swapped)), src_dir_fd=parent)
            os.symlink(precious, name, dir_fd=parent)
        with real(name, parent) as folder:
            yield folder
            with suppress(OSError):
                os.rename(name, aside / f"{len(swapped)}-again", src_dir_fd=parent)
                os.symlink(precious, name, dir_fd=parent)

    monkeypatch.setattr(files, "opened_folder", swapping)
    assert delete(tree)
    assert swapped
    assert_untouched(precious)


RACE = """
import ctypes, os, sys
libc, there, here, link = ctypes.CDLL(None), -100, *(os.fsencode(path) for path in sys.argv[1:])
print(flush=True)
while True:
    libc.renameat2(there, here, there, link, 2)
    try:
        os.makedirs(here + b"/inner", exist_ok=True)
    except OSError:
        pass
"""


@contextmanager
def exchanging(cell: Path, link: Path) -> Iterator[None]:
    """Exchange a folder and a link as fast as another process can (RENAME_EXCHANGE)."""
    with subprocess.Popen([sys.executable, "-c", RACE, cell, link], stdout=subprocess.PIPE) as racer:
        assert racer.stdout is not None
        racer.stdout.readline()
        try:
            yield
        finally:
            racer.kill()


def race(act: Callable[[], object], cell: Path, link: Path, precious: Path) -> None:
    """Do something again and again for a second, while the folder that it is about is exchanged for a link."""
    link.symlink_to(precious)
    cell.mkdir()
    with exchanging(cell, link):
        until = time.monotonic() + 1
        while time.monotonic() < until:
            act()
            if not link.is_symlink() and not cell.is_symlink():
                with suppress(OSError):
                    link.symlink_to(precious)
    assert_untouched(precious)


def test_taking_an_answer_races_with_the_notebook(tmp_path: Path, precious: Path) -> None:
    """A host file that a root grader may change keeps its permissions while a process exchanges folder and link."""
    outbox, evidence = tmp_path / "outbox", tmp_path / "evidence"
    outbox.mkdir()
    evidence.mkdir()
    race(lambda: take(outbox, CELL, evidence, LESSON.schema), outbox / CELL, outbox / "link", precious)


def test_counting_what_was_written_races_with_the_notebook(tmp_path: Path) -> None:
    """A host's folder of more files than allowed is never counted in place of one that was exchanged for a link."""
    many = tmp_path / "precious"
    many.mkdir(mode=0o700)
    for n in range(5_000):
        (many / str(n)).touch()
    with Sandbox.open(SandboxKind.BWRAP, code={"tests": PROJECT / "tests"}) as sandbox:
        cell, link = sandbox.outbox / CELL, sandbox.outbox / "link"
        link.symlink_to(many)
        cell.mkdir()
        until = time.monotonic() + 1
        with exchanging(cell, link):
            while time.monotonic() < until:
                assert written_bytes(sandbox, sandbox.limits) < 1 << 20


def test_who_keeps_adding_is_not_waited_for(tmp_path: Path) -> None:
    """A tree that grows as fast as it is deleted costs the time that it was given, and is then left where it is."""
    code = (
        "import itertools, os, sys\nfor n in itertools.count():\n  os.makedirs(f'{sys.argv[1]}/{n}/{n}', exist_ok=True)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path / "tree"]) as grower:
        while not (tmp_path / "tree").exists():
            time.sleep(0.01)
        started = time.monotonic()
        delete(tmp_path / "tree", timeout_s=0.5)
        assert time.monotonic() - started < 2
        grower.kill()
    assert delete(tmp_path / "tree")
    assert list(tmp_path.iterdir()) == []
