"""Files that untrusted code made: plain ones are read, everything else is refused at once and by name."""

import contextlib
import io
import os
import re
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from autograder.engine.errors import EvidenceError
from autograder.engine.files import json_values, open_beneath, parse_array, read_beneath

DTYPES = st.sampled_from(
    [f"{order}{kind}" for order in "<>" for kind in ("f2", "f4", "f8", "i2", "i4", "i8", "u2", "u8")]
)
KINDS = DTYPES | st.sampled_from(["?", "u1", "i1"])

pytestmark = pytest.mark.usefixtures("english")


def saved(array: NDArray[Any], **options: Any) -> bytes:
    """Return what NumPy writes."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npy(header: bytes, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return a `.npy` file of this header."""
    width = 2 if version == b"\x01\x00" else 4
    return b"\x93NUMPY" + version + len(header).to_bytes(width, "little") + header + body


def header(descr: str = "'<f8'", shape: str = "(2,)", order: str = "False") -> bytes:
    """Return a header as NumPy spells it."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


@settings(max_examples=80, derandomize=True, deadline=None)
@given(
    array=npst.arrays(KINDS, npst.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4)),
    fortran=st.booleans(),
)
def test_what_numpy_writes_is_read_as_numpy_reads_it(array: NDArray[Any], fortran: bool) -> None:
    """Bytes, dtype, shape and order equal `numpy.load`'s, NaN and signed zeros included."""
    raw = saved(np.asfortranarray(array) if fortran else array, allow_pickle=False)
    ours, theirs = parse_array(raw, "a.npy"), np.load(io.BytesIO(raw), allow_pickle=False)
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    assert ours.tobytes() == theirs.tobytes()


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4),
    cut=st.integers(0, 200) | st.none(),
)
def test_mutated_files_are_read_alike_or_refused(flips: list[tuple[int, int]], cut: int | None) -> None:
    """Flipped bytes and cut ends: what is read at all is what NumPy reads, and nothing but a refusal is raised."""
    raw = bytearray(saved(np.arange(6, dtype=np.int16).reshape(2, 3)))
    for where, value in flips:
        raw[where % 90 if where % 2 else where % len(raw)] = value
    mutated = bytes(raw[:cut])
    try:
        ours = parse_array(mutated, "a.npy")
    except EvidenceError:
        return
    theirs = np.load(io.BytesIO(mutated), allow_pickle=False)
    assert (ours.shape, ours.dtype, ours.tobytes()) == (theirs.shape, theirs.dtype, theirs.tobytes())


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00",
        b"\x93NUMPY\x01\x00\xff\xff",
        b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94.",
        b"PK\x03\x04" + bytes(60),
        saved(np.array([{"a": 1}], dtype=object), allow_pickle=True),
        saved(np.array(["text"])),
        saved(np.array([1 + 2j])),
        saved(np.array(["2026-01-01"], dtype="datetime64[D]")),
        saved(np.zeros(2, dtype=[("a", "<f8")])),
        npy(header("'|O'")),
        npy(header("'<f99'"), bytes(198)),
        npy(header("'<f3'"), bytes(6)),
        npy(header(shape="(-2,)"), bytes(16)),
        npy(header(shape="(2"), bytes(16)),
        npy(header(shape="(2)"), bytes(16)),
        npy(header(shape="(1 2,)"), bytes(96)),
        npy(header(shape="(2.0,)"), bytes(16)),
        npy(header(shape="(True,)"), bytes(8)),
        npy(header(shape="(4611686018427387904, 4)"), bytes(16)),
        npy(header(shape=f"({'9' * 5000},)"), bytes(16)),
        npy(header(shape=f"(0, {'9' * 400})")),
        npy(header(shape="(0, 4611686018427387904, 4)")),
        npy(header(shape=f"({'1, ' * 8}1)"), bytes(8)),
        npy(header(order="0"), bytes(16)),
        npy(b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'x': 1, }\n", bytes(16)),
        npy(b"{'descr': __import__('os').abort(), 'fortran_order': False, 'shape': (2,), }\n", bytes(16)),
        npy(header() + b"\n", bytes(16)),
        npy(header(), bytes(16), version=b"\x03\x00"),
        saved(np.zeros(2)) + b"\x00",
        saved(np.zeros(2))[:-1],
    ],
)
def test_what_is_not_exactly_one_plain_array_is_refused(raw: bytes) -> None:
    """Pickles, objects, texts, records, code, wrong, negative and enormous shapes, bytes too many or too few."""
    with pytest.raises(EvidenceError, match=r"^a\.npy "):
        parse_array(raw, "a.npy")


def test_a_plain_file_is_read_from_below_the_folder(tmp_path: Path) -> None:
    """The bytes of a file two folders down, up to the cap and not one more."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c.npy").write_bytes(b"12345")
    assert read_beneath(tmp_path, "a", "b", "c.npy", limit=5) == b"12345"
    with pytest.raises(EvidenceError, match=r"a/b/c\.npy is not a plain file of at most 4 bytes"):
        read_beneath(tmp_path, "a", "b", "c.npy", limit=4)


@pytest.mark.parametrize(
    "kind", ["link", "hard link", "pipe", "folder", "linked folder", "huge", "missing", "dangling"]
)
def test_anything_else_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    """Links of both kinds, a pipe that nobody writes to, a folder, a sparse terabyte: one sentence that names the file."""
    outside, root = tmp_path / "secret", tmp_path / "root"
    outside.write_bytes(b"secret")
    (root / "inner").mkdir(parents=True)
    path = root / "inner" / "a.npy"
    if kind == "link":
        path.symlink_to(outside)
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    elif kind == "hard link":
        path.hardlink_to(outside)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "linked folder":
        path.write_bytes(b"moved away")
        (root / "inner").rename(tmp_path / "elsewhere")
        (root / "inner").symlink_to(tmp_path / "elsewhere")
    elif kind == "huge":
        path.touch()
        os.truncate(path, 2**40)
    with pytest.raises(EvidenceError, match=r"^inner/a\.npy (cannot be read|is not a plain file)"):
        read_beneath(root, "inner", "a.npy", limit=1000)


def test_a_device_is_refused() -> None:
    """/dev/zero has no end, and is not read."""
    with pytest.raises(EvidenceError, match="is not a plain file"):
        read_beneath(Path("/dev"), "zero", limit=1000)


@pytest.mark.parametrize(
    "parts", [("..", "secret"), (".", "a"), ("",), ("a/b",), ("/etc/passwd",), ("a\0b",), ("inner", "..")]
)
def test_no_name_leads_out_of_the_folder(tmp_path: Path, parts: tuple[str, ...]) -> None:
    """Dots, slashes, absolute names and zero bytes name no file."""
    (tmp_path / "root").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    with pytest.raises(EvidenceError, match="names no file below the folder"):
        open_beneath(tmp_path / "root", *parts, limit=1000)


def test_a_folder_that_is_not_there_is_a_refusal(tmp_path: Path) -> None:
    """Evidence that went missing is an `EvidenceError` like any other."""
    with pytest.raises(EvidenceError, match=r"graph\.json cannot be read: No such file"):
        read_beneath(tmp_path / "models", "graph.json", limit=1000)


def open_files() -> int:
    """Count this process's open files."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    """Hundreds of refusals and readings leave as many open files as before."""
    (tmp_path / "plain").touch()
    (tmp_path / "link").symlink_to("plain")
    os.mkfifo(tmp_path / "pipe")
    before = open_files()
    for name in ["plain", "link", "pipe", "missing"] * 100:
        with contextlib.suppress(EvidenceError):
            read_beneath(tmp_path, name, limit=10)
        with contextlib.suppress(EvidenceError):
            read_beneath(tmp_path, name, "inner", limit=10)
    assert open_files() == before


def test_a_declared_size_costs_no_memory() -> None:
    """A header that speaks of a terabyte is refused for what follows it, before anything is set aside."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for shape in ("(137438953472,)", "(1024, 134217728)"):
        with pytest.raises(EvidenceError, match="where its shape needs 1099511627776"):
            parse_array(npy(header(shape=shape), bytes(16)), "a.npy")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
    assert sys.getsizeof(parse_array(saved(np.zeros(10**6)), "a.npy")) < 1000


@pytest.mark.parametrize(
    "text", ['{"a": [1, 2, {"b": 3}]}', '["a,[{b", "\\",[{", "\\\\", 1]', "[]", "7", '"unended ,,,,', ',,,"\\\\",,,']
)
def test_json_values_are_counted_outside_of_strings_alone(text: str) -> None:
    """A comma or bracket in a string spells no value, whatever is escaped before it."""
    outside = re.sub(r'"(?:[^"\\]|\\.)*("|\Z)', "", text)
    filler = b"0," * 1_000_000  # short texts are not looked at
    assert json_values(filler + text.encode()) - 1_000_000 == sum(outside.count(mark) for mark in ",[{")
