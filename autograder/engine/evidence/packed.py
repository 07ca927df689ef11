"""Packs a student's evidence into bytes on one machine and unpacks it on another, without a shared file system.

The names and the contents come from a worker of the cluster, what stands in them from untrusted code: only plain files are
packed, and only names of results are unpacked, within a size limit, as new files that nobody else may read.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence.exchange import delete_evidence
from autograder.engine.files import PRIVATE, make_private, open_beneath, write_whole
from autograder.engine.text import printable, say

MAX_PACKED = 1_200_000_000
"""Bytes of one submission: what the sandbox's and the judge's own limits let an evidence folder hold, and some room."""
MAX_FILES = 8_192
NAME = re.compile(r"evidence(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}){1,4}")
SEALED = "evidence/evidence.json"


def pack_evidence(folder: Path) -> dict[str, bytes]:
    """Return the contents of the plain files in `folder/evidence`, by their path below `folder`; links are left out."""
    packed: dict[str, bytes] = {}
    left = MAX_PACKED
    for path in sorted((folder / "evidence").rglob("*")):
        if path.is_file() and not path.is_symlink() and not path.name.startswith("."):  # those are temporary
            parts = path.relative_to(folder).parts
            with open_beneath(folder, *parts, limit=left) as file:
                packed["/".join(parts)] = file.read(left)
            left -= len(packed["/".join(parts)])
    return packed


def unpack_evidence(packed: Mapping[str, bytes], folder: Path) -> None:
    """Write packed evidence into `folder` in place of what is there; `evidence.json` comes last, with all others on the disk.

    Raises `EvidenceError` where a name or the size is not that of evidence, before anything is written or deleted; `OSError`
    or `SplotError` where the disk does not take it.
    """
    wrong = next((name for name in packed if not NAME.fullmatch(name)), None)
    if wrong is not None:
        shown = printable(wrong, 60)
        raise EvidenceError(say(pl=f"{shown!r} nie jest plikiem z danymi.", en=f"{shown!r} is no file of evidence."))
    if len(packed) > MAX_FILES or sum(map(len, packed.values())) > MAX_PACKED:
        raise EvidenceError(
            say(
                pl=f"Dane mają więcej niż {MAX_FILES} plików lub {MAX_PACKED} B.",
                en=f"The evidence has more than {MAX_FILES} files or {MAX_PACKED} bytes.",
            )
        )
    if packed:
        delete_evidence(folder / "evidence")
        (folder / "evidence").mkdir(mode=0o700)  # new: nothing below it can be a link
    for name, content in packed.items():
        if name != SEALED:
            path = folder / name
            make_private(path.parent, folder)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
    if SEALED in packed:
        write_whole(folder / SEALED, packed[SEALED], PRIVATE)
