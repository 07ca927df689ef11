"""Change a folder's files as an attacker would: what they hold, and what stands in their place."""

import os
import socket
from pathlib import Path

from tests.mutations import CONTENT, Draw


def change_folder(folder: Path, draw: Draw) -> str:
    """Change one or two of a folder's files, and return what was done."""
    done = []
    for _ in range(draw.choice([1, 1, 2])):
        files = _files(folder)
        if not files:
            break
        path = draw.choice(files)
        if draw.random() < 0.7 and path.stat().st_size < SMALL:
            change = draw.choice(CONTENT)
            path.write_bytes(change(path.read_bytes(), draw))
            done.append(f"{change.__name__} {path.relative_to(folder)}")
        else:
            place = draw.choice(PLACES)
            place(path, folder, draw)
            done.append(f"{place.__name__} {path.relative_to(folder)}")
    return ", ".join(done)


SMALL = 10**8


def _files(folder: Path) -> list[Path]:
    """Return the plain files of a folder; the small ones at the top count as often as the many below."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return found + [path for path in found if path.suffix != ".npy"] * 3


def lost(path: Path, _folder: Path, _draw: Draw) -> None:
    """Delete the file."""
    path.unlink()


def linked(path: Path, folder: Path, draw: Draw) -> None:
    """Put a symbolic link in the file's place: to a neighbour, out of the folder, to itself, to nothing."""
    path.unlink()
    path.symlink_to(
        draw.choice([folder / "evidence.json", Path("/etc/passwd"), path, Path("nowhere"), Path("/dev/zero")])
    )


def hard_linked(path: Path, folder: Path, draw: Draw) -> None:
    """Put a second name of another file in the file's place."""
    other = draw.choice(_files(folder))
    if other != path:
        path.unlink()
        os.link(other, path)


def piped(path: Path, _folder: Path, _draw: Draw) -> None:
    """Put a pipe that nobody writes to in the file's place."""
    path.unlink()
    os.mkfifo(path)


def socketed(path: Path, _folder: Path, _draw: Draw) -> None:
    """Put a socket in the file's place."""
    path.unlink()
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as bound:
        try:
            os.chdir(path.parent)  # a socket's address may be no longer than 107 bytes
            bound.bind(path.name[:100])
        finally:
            os.chdir(here)


def foldered(path: Path, _folder: Path, _draw: Draw) -> None:
    """Put a folder in the file's place."""
    path.unlink()
    path.mkdir()


def sparse(path: Path, _folder: Path, draw: Draw) -> None:
    """Let the file seem enormous."""
    os.truncate(path, draw.choice([60_000_000, 10**9, 2**40]))


def swapped(path: Path, folder: Path, draw: Draw) -> None:
    """Let two files change places."""
    other = draw.choice(_files(folder))
    if max(path.stat().st_size, other.stat().st_size) < SMALL:
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two)
        other.write_bytes(one)


def crowded(path: Path, _folder: Path, draw: Draw) -> None:
    """Put very many files beside it."""
    for number in range(draw.choice([10, 1_000])):
        (path.parent / f"{number}.npy").touch()


def parent_linked(path: Path, folder: Path, _draw: Draw) -> None:
    """Let the file's folder be a link to another place that holds the same."""
    if path.parent != folder:
        aside = folder / f"aside-{path.parent.name}"
        if not aside.exists() and not path.parent.is_symlink():
            path.parent.rename(aside)
            path.parent.symlink_to(aside)


PLACES = (lost, linked, hard_linked, piped, socketed, foldered, sparse, swapped, crowded, parent_linked)
