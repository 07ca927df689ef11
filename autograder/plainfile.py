"""Read files that a stranger made: plain ones only, within a cap, and arrays without pickle."""

import math
import os
import re
import stat
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from autograder.errors import EvidenceError
from autograder.language import say


def open_beneath(root: Path, *parts: str, limit: int) -> BinaryIO:
    """Open a plain file of at most `limit` bytes below `root`; links, pipes and devices are refused on the way.

    `root` is ours and may be trusted; every part below it was named or made by a stranger.
    """
    where = "/".join(parts)
    if not all(_PART.fullmatch(part) for part in parts):
        raise EvidenceError(
            say(pl=f"{where!r} nie jest nazwą pliku w tym folderze.", en=f"{where!r} names no file below the folder.")
        )
    folder = -1
    try:
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(parts[-1], _FILE, dir_fd=folder)
    except OSError as error:
        why = error.strerror
        raise EvidenceError(
            say(pl=f"Pliku {where} nie da się odczytać ({why}).", en=f"{where} cannot be read: {why}.")
        ) from error
    finally:
        if folder >= 0:
            os.close(folder)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > limit:
        os.close(descriptor)
        raise EvidenceError(
            say(
                pl=f"{where} nie jest zwykłym plikiem, który ma najwyżej {limit} B.",
                en=f"{where} is not a plain file of at most {limit} bytes.",
            )
        )
    return os.fdopen(descriptor, "rb")


_PART = re.compile(r"(?!\.\.?\Z)[^/\0]+")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def read_beneath(root: Path, *parts: str, limit: int) -> bytes:
    """Read a plain file below `root`; see `open_beneath`."""
    with open_beneath(root, *parts, limit=limit) as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        where = "/".join(parts)
        raise EvidenceError(
            say(
                pl=f"{where} urósł w trakcie czytania powyżej {limit} B.",
                en=f"{where} grew past {limit} bytes while it was read.",
            )
        )
    return raw


def json_values(raw: bytes) -> int:
    """Count, from above, the values that JSON spells: each takes up to a hundred bytes, however short it is spelt."""
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") < 1_000_000:
        return 1_000_000
    text = np.frombuffer(raw.replace(rb"\\", b"").replace(rb"\"", b""), np.uint8)
    outside = ~np.bitwise_xor.accumulate(text == ord('"'))
    return int((((text == ord(",")) | (text == ord("[")) | (text == ord("{"))) & outside).sum())


def parse_array(raw: bytes, name: str) -> NDArray[Any]:
    """Parse the bytes of a `.npy` file; raises `EvidenceError` unless they are exactly one plain array."""
    view = memoryview(raw)
    try:
        if bytes(view[:8]) not in {b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"}:
            raise EvidenceError(
                say(
                    pl=f"{name} nie jest plikiem .npy w wersji 1 lub 2.",
                    en=f"{name} is not a .npy file of version 1 or 2.",
                )
            )
        width = 2 if view[6] == 1 else 4
        start = 8 + width + int.from_bytes(view[8 : 8 + width], "little")
        shape, fortran, dtype = _header(bytes(view[8 + width : min(start, 8 + width + 10_000)]), name)
        expected = math.prod(shape) * dtype.itemsize
        if len(view) - start != expected:
            held = len(view) - start
            raise EvidenceError(
                say(
                    pl=f"{name} ma {held} B danych, a kształt tablicy wymaga {expected}.",
                    en=f"{name} holds {held} bytes where its shape needs {expected}.",
                )
            )
        return np.frombuffer(view[start:], dtype).reshape(shape, order="F" if fortran else "C")
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise EvidenceError(
            say(pl=f"{name} nie jest czytelną tablicą: {error}.", en=f"{name} is not a readable array: {error}.")
        ) from error


def _header(raw: bytes, name: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read the header's literal without evaluating it: only the three keys NumPy writes, in its own order."""
    match = _HEADER.fullmatch(raw)
    if match is None:
        raise EvidenceError(
            say(
                pl=f"{name} ma inny nagłówek niż zwykła tablica liczb.",
                en=f"{name} has a header that is not that of a plain array of numbers.",
            )
        )
    shape = tuple(int(part) for part in match[3].decode().replace(" ", "").split(",") if part)
    if len(shape) > 8:
        raise EvidenceError(say(pl=f"{name} ma za dużo osi: {len(shape)}.", en=f"{name} has {len(shape)} axes."))
    return shape, match[2] == b"True", np.dtype(match[1].decode())


_SHAPE = rb"\((|\d+,|\d+(?:, \d+)+)\)"
_HEADER = re.compile(
    rb"\{'descr': '([<>|][biuf]\d{1,2})', 'fortran_order': (True|False), 'shape': " + _SHAPE + rb", \} *\n"
)
