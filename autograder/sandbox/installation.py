"""Which folders of this machine a sandboxed Python needs, and what in them must not be seen."""

import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import autograder

PROJECT = Path(autograder.__file__).resolve().parent.parent
"""The checkout, or site-packages where the project is installed for good."""

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
    """Read-only trees, by the path they keep inside, and the entries in them that are covered up."""

    trees: tuple[Path, ...]
    covered_folders: tuple[Path, ...]
    covered_files: tuple[Path, ...]


@cache
def installation() -> Installation:
    """Find the running interpreter's trees, less this project: graders, reference and what names their place."""
    trees = tuple(_trees())
    covered = sorted({path for path in (*_own(), *_checkout(trees)) if _within(path, trees)})
    return Installation(
        trees,
        tuple(path for path in covered if path.is_dir()),
        tuple(path for path in covered if not path.is_dir()),
    )


def _trees() -> Iterator[Path]:
    """Parents before children, each once. The system's own Python lies in /usr, of which only parts are bound."""
    prefixes = {Path(prefix) for prefix in (sys.prefix, sys.base_prefix)}
    for prefix in sorted(prefixes | {prefix.resolve() for prefix in prefixes}):
        if prefix not in (SYSTEM, Path("/")):
            yield prefix


def _within(path: Path, trees: tuple[Path, ...]) -> bool:
    return any(path.is_relative_to(tree) for tree in (*trees, *USR))


def _own() -> Iterator[Path]:
    """Our packages in site-packages, their metadata, and the files by which an editable install finds them."""
    for packages in {Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")}:
        yield from (packages / name for name in OWN_PACKAGES if (packages / name).exists())
        # The metadata file stays: without it pip warns of a broken package at every call.
        yield from (entry for entry in packages.glob("splot-*.dist-info/*") if entry.name != "METADATA")
        yield from packages.glob("__editable__*splot*")
        yield from (pth for pth in packages.glob("*.pth") if str(PROJECT) in pth.read_text("utf-8", "replace"))
        yield from (packages / "__pycache__").glob("__editable__*splot*")


def _checkout(trees: tuple[Path, ...]) -> Iterator[Path]:
    """All of a checkout that lies within a bound tree, but for what leads to another such tree."""
    if not (PROJECT / "pyproject.toml").exists():
        return
    for child in PROJECT.iterdir():
        if not any(tree.is_relative_to(child) for tree in trees):
            yield child
