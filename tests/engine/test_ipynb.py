"""Notebook files as a hostile format: one clear sentence, or cells that can be graded; nothing else ever."""

import gzip
import json
import logging
import os
import random
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.engine.errors import SubmissionError
from autograder.engine.notebook import reading as nbfile
from autograder.engine.notebook.assignment import Assignment, load_assignment
from autograder.engine.notebook.reading import NotebookFile, read_ipynb
from autograder.engine.notebook.repair import Damage, DamageKind, repair
from autograder.engine.notebook.submission import read_submission
from autograder.engine.text import Lang, in_language
from tests.submissions.build import RELEASE

ASSIGNMENT = load_assignment()
NO_ASSIGNMENT = Assignment("cnn", (), ())
DOCUMENT: dict[str, Any] = json.loads(RELEASE.read_text())
for _cell in DOCUMENT["cells"]:  # the figures' megabytes would only slow the tests down
    if len("".join(_cell["source"])) > 10_000:
        _cell["source"] = "a figure"
BYTES = json.dumps(DOCUMENT).encode()
CELL: dict[str, object] = {
    "cell_type": "code",
    "metadata": {},
    "source": "x = 1",
    "outputs": [],
    "execution_count": None,
    "id": "x",
}


def write(folder: Path, content: object) -> Path:
    """Write bytes, or a document as JSON, as a student's notebook."""
    path = folder / "cnn.ipynb"
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def notebook(*cells: object) -> dict[str, object]:
    """Return a format-4 notebook of these cells."""
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": list(cells)}


def damage_of(file: NotebookFile) -> tuple[Damage, ...]:
    """Return what is wrong with a file where the assignment asks for no cell."""
    return repair(file, NO_ASSIGNMENT)[1]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\x89PNG\r\n\x1a\n", "is not UTF-8 text (byte 0)"),
        (BYTES.decode().encode("utf-16"), "is not UTF-8 text (byte 0)"),
        (BYTES.decode().encode("utf-16-le"), "is truncated or not JSON"),
        (b"PK\x03\x04" + BYTES, "is an archive"),
        (gzip.compress(BYTES), "is an archive"),
        (b"[" + b"[]," * 2_000_000 + b"[]]", "holds too many values"),
        (b'{"x": "' + b'\\"\\\\,[{' * 2_000_000 + b'"}', "is JSON but not a Jupyter notebook"),
        (BYTES[: len(BYTES) // 2], "is truncated or not JSON"),
        (b"print('hello')", "is truncated or not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "is truncated or not JSON"),
        (b'{"nbformat": ' + b"9" * 5_000 + b"}", "is truncated or not JSON"),
        (b"[]", "is JSON but not a Jupyter notebook"),
        (b"null", "is JSON but not a Jupyter notebook"),
        ({"cells": []}, "is JSON but not a Jupyter notebook"),
        ({"nbformat": "4", "cells": []}, "is JSON but not a Jupyter notebook"),
        ({"nbformat": True, "cells": []}, "is JSON but not a Jupyter notebook"),
        ({"nbformat": 4}, "is not a valid notebook"),
        ({"nbformat": 4, "cells": {}}, "is not a valid notebook"),
        ({"nbformat": 4, "cells": None}, "is not a valid notebook"),
        (notebook("text"), "is not a valid notebook"),
        (notebook(CELL, [CELL]), "is not a valid notebook"),
        ({"nbformat": 5, "cells": []}, "is not a valid notebook"),
        ({"nbformat": -7, "cells": []}, "is not a valid notebook"),
        ({"nbformat": 10**4000, "cells": []}, "is not a valid notebook"),
        ({"nbformat": 3, "worksheets": 7}, "is not a valid notebook"),
        (notebook(*[{}] * 5_001), "has 5001 cells"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_no_notebook_is_refused_in_one_sentence(tmp_path: Path, content: object, sentence: str) -> None:
    """Empty, truncated, not text, not JSON, or JSON of another kind: the sentence names the file and the fault."""
    path = write(tmp_path, content)
    with in_language(Lang.EN), pytest.raises(SubmissionError) as raised:
        read_ipynb(path)
    assert str(raised.value).startswith(f"{path} {sentence}")
    assert str(raised.value).count("\n") == 0
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize(
    "name", ["a\nb.ipynb", "\x1b[31m.ipynb", "\u202egpj.ipynb", "a" * 240 + ".ipynb", "\udcff.ipynb"]
)
def test_a_refusal_names_the_oddest_file_on_one_line(tmp_path: Path, name: str) -> None:
    """Line breaks, colours, text that runs backwards, bytes that are no text: the sentence can forge nothing."""
    (tmp_path / name).write_text("no notebook")
    with pytest.raises(SubmissionError) as raised:
        read_ipynb(tmp_path / name)
    assert str(raised.value).isprintable()


def test_a_refusal_is_polish_unless_asked_otherwise(tmp_path: Path) -> None:
    """The student reads it."""
    with pytest.raises(SubmissionError, match="jest pusty; zapisz go ponownie w Jupyterze"):
        read_ipynb(write(tmp_path, b""))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The sentence says which file is not there."""
    with in_language(Lang.EN), pytest.raises(SubmissionError, match=r"nobody\.ipynb cannot be read: No such file"):
        read_ipynb(tmp_path / "nobody.ipynb")


@pytest.mark.parametrize("kind", ["folder", "pipe", "link", "folder that leads nowhere"])
def test_only_a_plain_file_is_read(tmp_path: Path, kind: str) -> None:
    """A folder, a pipe that nobody writes to, a link to another's work: refused at once, never waited for."""
    path = tmp_path / "cnn.ipynb"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to(RELEASE)
    else:
        path = tmp_path / "no" / "cnn.ipynb"
        path.parent.symlink_to(tmp_path / "nowhere")
    with (
        in_language(Lang.EN),
        pytest.raises(SubmissionError, match=r"cnn\.ipynb (is not a file|is a link|cannot be read)"),
    ):
        read_ipynb(path)


def test_a_file_larger_than_the_cap_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte too many is refused, the cap itself is not."""
    path = write(tmp_path, notebook(CELL))
    monkeypatch.setattr(nbfile, "MAX_BYTES", path.stat().st_size)
    assert len(read_ipynb(path).cells) == 1
    monkeypatch.setattr(nbfile, "MAX_BYTES", path.stat().st_size - 1)
    with in_language(Lang.EN), pytest.raises(SubmissionError, match="is larger than"):
        read_ipynb(path)


def test_a_byte_order_mark_is_no_damage(tmp_path: Path) -> None:
    """Windows' UTF-8 with a mark in front is read."""
    assert len(read_ipynb(write(tmp_path, b"\xef\xbb\xbf" + BYTES)).cells) == len(DOCUMENT["cells"])


def test_of_doubled_keys_the_last_counts(tmp_path: Path) -> None:
    """As for Jupyter's own reader, so that nobody sees other cells than the grader."""
    raw = (
        b'{"nbformat": 3, "cells": 7, "nbformat": 4, "nbformat_minor": 4, "cells": ['
        + json.dumps(CELL).encode()
        + b"]}"
    )
    assert [cell.source for cell in read_ipynb(write(tmp_path, raw)).cells] == ["x = 1"]


def test_a_nul_is_a_character_like_any_other(tmp_path: Path) -> None:
    """It neither ends the text nor stops the reader."""
    assert read_ipynb(write(tmp_path, notebook(CELL | {"source": "x = 1\0y"}))).cells[0].source == "x = 1\0y"


@pytest.mark.parametrize("minor", [0, 1, 2, 3, 4, 5, 99, -1, None, "5", 10**400])
def test_any_minor_version_of_format_4_is_read(tmp_path: Path, minor: object) -> None:
    """Older ones have no cell ids and miss none; newer ones than ours have."""
    cell = {key: value for key, value in CELL.items() if key != "id"}
    read = read_ipynb(write(tmp_path, notebook(cell) | {"nbformat_minor": minor}))
    assert [found.source for found in read.cells] == ["x = 1"]
    has_ids = isinstance(minor, int) and minor >= 5
    assert damage_of(read) == ((Damage(DamageKind.NO_CELL_ID, ("1",)),) if has_ids else ())


def test_cells_that_share_an_id_are_named(tmp_path: Path) -> None:
    """By their numbers; both stay."""
    read = read_ipynb(write(tmp_path, notebook(CELL, CELL | {"id": "y"}, CELL)))
    assert len(read.cells) == 3
    assert damage_of(read) == (Damage(DamageKind.NO_CELL_ID, ("1", "3")),)


@pytest.mark.parametrize("level", [10**12, -1, None, "6", [1], 3])
def test_a_heading_of_format_3_is_as_deep_as_html_has_them(tmp_path: Path, level: object) -> None:
    """The converter writes a `#` a level: a trillion of them would fill memory."""
    cell = {"cell_type": "heading", "source": "Title", "metadata": {}, "level": level}
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell], "metadata": {}}]}
    expected = "### Title" if level == 3 else "# Title"
    assert [found.source for found in read_ipynb(write(tmp_path, old)).cells] == [expected]


def test_attachments_outputs_and_metadata_are_left_behind(tmp_path: Path) -> None:
    """Of any size and type, they reach nothing that grading reads."""
    heavy = {
        "attachments": {"a.png": {"image/png": "A" * 10**6}},
        "outputs": [{"x": [[]] * 1000}],
        "metadata": {"x": "y" * 10**6},
    }
    assert (
        read_ipynb(write(tmp_path, notebook(CELL | heavy))).cells == read_ipynb(write(tmp_path, notebook(CELL))).cells
    )


def test_numbers_that_are_none_do_not_matter(tmp_path: Path) -> None:
    """NaN and Infinity in outputs, which Python writes and JSON has not, are read over."""
    raw = json.dumps(notebook(CELL | {"outputs": [{"data": {"application/json": float("nan")}}]})).encode()
    assert b"NaN" in raw
    assert read_ipynb(write(tmp_path, raw)).cells[0].source == "x = 1"


def test_format_3_is_converted_and_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An old notebook keeps its cells and nbgrader's ids; the note says what was done, and nothing is logged."""
    meta = {"nbgrader": {"grade_id": "task1_convolution"}}
    cell = {
        "cell_type": "code",
        "input": ["def f():\n", "    pass"],
        "metadata": meta,
        "outputs": [],
        "language": "python",
    }
    old = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": [cell], "metadata": {}}]}
    with caplog.at_level(logging.INFO):
        read = read_ipynb(write(tmp_path, old))
    assert [(c.source, c.grade_id) for c in read.cells] == [("def f():\n    pass", "task1_convolution")]
    assert damage_of(read)[0] == Damage(DamageKind.OLD_FORMAT, ("3",))


@pytest.mark.parametrize(
    ("source", "text", "whole"),
    [
        ("x = 1", "x = 1", True),
        (["x = 1\n", "y = 2"], "x = 1\ny = 2", True),
        ([], "", True),
        (None, "", False),
        (5, "", False),
        ({"x": 1}, "", False),
        (["x = 1\n", None, ["y"]], "x = 1\n", False),
        ("a\ud800b", "a?b", True),
    ],
)
def test_a_source_of_any_type_gives_text(tmp_path: Path, source: object, text: str, whole: bool) -> None:
    """Text in one piece or in lines is taken as it is; what is no text is none, and a note names the cell."""
    read = read_ipynb(write(tmp_path, notebook(CELL | {"source": source})))
    assert [cell.source for cell in read.cells] == [text]
    assert damage_of(read) == (() if whole else (Damage(DamageKind.UNREADABLE, ("1",)),))


@pytest.mark.parametrize("kind", ["heading", None, 7, [], {"code": 1}, "CODE"])
def test_an_unknown_cell_type_does_not_run(tmp_path: Path, kind: object) -> None:
    """A cell of no type of Jupyter's is kept as raw text."""
    read = read_ipynb(write(tmp_path, notebook(CELL | {"cell_type": kind})))
    assert [(cell.kind, cell.source) for cell in read.cells] == [("raw", "x = 1")]


@pytest.mark.parametrize(
    "odd", [None, 7, "text", [], ["task1_convolution"], {"nbgrader": 7}, {"nbgrader": {"grade_id": {}}}]
)
def test_metadata_of_any_type_is_no_id(tmp_path: Path, odd: object) -> None:
    """Metadata that is not what nbgrader writes claims nothing, and breaks nothing."""
    path = write(tmp_path, notebook(CELL | {"metadata": odd, "id": odd}))
    assert read_ipynb(path).cells[0].grade_id is None
    assert len(read_submission(path, ASSIGNMENT).cells) > 1


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def places(value: object) -> list[tuple[Any, Any]]:
    """Return every place of a document, as a container and a key of it."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            found += [(value, key), *places(value[key])]
    return found


def assert_readable(path: Path) -> None:
    """Assert that a notebook gives cells with every locked one in them, unchanged, or one sentence."""
    try:
        read = read_submission(path, ASSIGNMENT)
    except SubmissionError:
        return
    by_id = {cell.grade_id: cell for cell in read.cells if cell.grade_id}
    for template in ASSIGNMENT.cells:
        if template.locked and template.grade_id:
            assert by_id[template.grade_id].source == template.source
    assert all(cell.kind in {"code", "markdown", "raw"} for cell in read.cells)
    "".join(cell.source for cell in read.cells).encode()


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    odd=st.lists(ODD, min_size=1, max_size=4),
    action=st.sampled_from(["put", "drop", "move"]),
)
def test_any_value_at_any_place_is_read_or_refused(tmp_path: Path, seed: int, odd: list[object], action: str) -> None:
    """The real release with values replaced, deleted or moved anywhere in its tree never breaks the reader."""
    document = json.loads(BYTES)
    draw = random.Random(seed)  # noqa: S311 - a seeded choice of places
    for value in odd:
        container, key = draw.choice(places(document))
        if action == "put":
            container[key] = value
        elif action == "drop":
            del container[key]
        else:
            other, at = draw.choice(places(document))
            container[key] = json.loads(json.dumps(other[at]))
    assert_readable(write(tmp_path, document))


@settings(max_examples=60, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_flipped_bytes_are_read_or_refused(tmp_path: Path, flips: list[tuple[float, int]]) -> None:
    """The real release with bytes changed anywhere never breaks the reader."""
    raw = bytearray(BYTES)
    for where, value in flips:
        raw[int(where * len(raw))] = value
    assert_readable(write(tmp_path, bytes(raw)))


def test_what_is_read_is_a_notebook_again(tmp_path: Path) -> None:
    """The cells read from the release, written by nbformat, are a valid notebook with the same text."""
    read = read_ipynb(write(tmp_path, DOCUMENT))
    nodes = [nbformat.v4.new_code_cell(cell.source) for cell in read.cells]
    nbformat.validate(nbformat.v4.new_notebook(cells=nodes))
    assert [c.source for c in read.cells] == ["".join(c["source"]) for c in DOCUMENT["cells"]]
