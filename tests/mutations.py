"""Change a file's content as a fuzzer and as an attacker would: bytes, JSON values, arrays, archives."""

import io
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

Draw = random.Random
ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 3, 2**31, 2**63 - 1, 2**64, -(2**63), 10**400, 0.5, 1e308, -1e308, float("nan"),
    float("inf"), "", "x", "\ud800", "\0", "../../etc/passwd", "A" * 10_000, [], [1, 1], [[]], {}, {"node": "x"}, {"a": {}},
)  # fmt: skip
NUMBERS = ("nan", "inf", "-inf", "1e308", "0", "-1", "1e-320")


def flipped(raw: bytes, draw: Draw) -> bytes:
    """Return bytes with a few of them changed."""
    changed = bytearray(raw or b"\0")
    for _ in range(draw.choice([1, 1, 2, 8])):
        changed[draw.randrange(len(changed))] = draw.randrange(256)
    return bytes(changed)


def resized(raw: bytes, draw: Draw) -> bytes:
    """Return bytes cut short, doubled in places, or with a tail."""
    at, end = sorted(draw.randrange(len(raw) + 1) for _ in range(2))
    return draw.choice([raw[:at], raw[:at] + raw[end:], raw[:end] + raw[at:], raw + draw.randbytes(100)])


def retold(raw: bytes, draw: Draw) -> bytes:
    """Return JSON with values put, dropped, moved or nested without end; what is no JSON is flipped."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):  # nested without end by a change before this one
        return flipped(raw, draw)
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        places = list(_places(document))
        if places:
            container, key = draw.choice(places)
            _change(container, key, places, draw)
    text = json.dumps(document)
    deep = f"{'[' * 100_000}{']' * 100_000}" if draw.random() < 0.5 else '{"a":' * 100_000 + "1" + "}" * 100_000
    return text.replace('"DEEP"', deep).encode()


def doubled_keys(raw: bytes, draw: Draw) -> bytes:
    """Return JSON whose first object says something twice, in two ways."""
    key, value = draw.choice(["schema", "cells", "nodes", "probed", "nbformat"]), json.dumps(draw.choice(ODD))
    return raw.replace(b"{", f'{{"{key}": {value}, "{key}": {value}, '.encode("utf-8", "replace"), 1)


def _places(value: object) -> Any:
    """Yield every place of a document, as a container and a key of it."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


def _change(container: Any, key: Any, places: list[Any], draw: Draw) -> None:
    kind = draw.randrange(5)
    if kind == 0:
        del container[key]
    elif kind == 1:
        other, at = draw.choice(places)
        container[key] = json.loads(json.dumps(other[at])) if at in other or isinstance(other, list) else None
    elif kind == 2:
        container[key] = "DEEP"
    else:
        container[key] = draw.choice(ODD)


def array(_raw: bytes, draw: Draw) -> bytes:
    """Return an array file of other numbers, of another shape and type, or of a shape that fills any memory."""
    shape = draw.choice([(), (0,), (3,), (2, 10), (16, 1, 28, 28), (100, 10), (1,) * 9, (1, 0, 5)])
    kind = draw.choice(["<f4", "<f8", "<i8", "|u1", "|b1", "<c8", "<U3", ">f8", "<f2"])
    with np.errstate(all="ignore"):
        values = np.full(shape, float(draw.choice(NUMBERS))).astype(kind)
    raw = _npy(values)
    sizes = draw.choice([None, "(99999999, 99999999)", "(1000000000000,)", "(-1, 5)", "(" + "9" * 5_000 + ",)"])
    return raw if sizes is None else raw.replace(str(values.shape).encode(), sizes.encode(), 1)


def archive(_raw: bytes, draw: Draw) -> bytes:
    """Return an archive that grows when it is unpacked, has very many members, or one with a name that leads out."""
    buffer = io.BytesIO()
    kind = draw.choice(["bomb", "many", "outside", "twice"])
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        if kind == "bomb":
            packed.writestr("w0.npy", bytes(20_000_000))
        elif kind == "many":
            for index in range(5_000):
                packed.writestr(f"w{index}.npy", b"")
        else:
            packed.writestr("../../w0.npy" if kind == "outside" else "w0.npy", _npy(np.zeros(3)))
    return buffer.getvalue()


def _npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


TEXT: tuple[Callable[[bytes, Draw], bytes], ...] = (flipped, resized, retold, retold, retold, doubled_keys)
CONTENT = (*TEXT, array, array, archive)
