"""Reading evidence: what the grader wrote comes back, anything else is refused in one sentence."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence.reader import Executed
from autograder.engine.evidence.records import CellRun, EvidenceFile, Failure, Fault, Probed
from autograder.engine.report import Timing
from autograder.lesson.observations import (
    CallRecord,
    DataRecord,
    Epochs,
    Flavour,
    History,
    LayerRecord,
    LessonEvidence,
    MapRecord,
    ModelRecord,
    Results,
    TransformStep,
)
from tests.evidence import evidence_file

pytestmark = pytest.mark.usefixtures("english")

LOSS: Epochs = (2.3, None, 0.5)
FILE = evidence_file(
    sandbox="bwrap",
    notes=("a note",),
    runs=(
        CellRun(0, None, 0.5),
        CellRun(1, "task1_convolution", 1.5, Failure(Fault.ERROR, "ValueError", "zły rozmiar", 3), images=2),
    ),
    probed=(
        Probed.from_records(
            "a_tests", CallRecord("random", Flavour.TORCH, array=True), LayerRecord("case_1", padding_name="same")
        ),
        Probed.from_records(
            "b_tests", ModelRecord("gap", history=History(LOSS), results=Results(0.9)), MapRecord("cam", "gap", 0, 9)
        ),
        Probed.from_records(
            "c_tests", DataRecord("FashionMNIST", 1000, steps=(TransformStep("Resize", {"size": (32.0, 32.0)}),))
        ),
        Probed("d_tests", failure=Failure(Fault.TIMEOUT, "", "120 s")),
    ),
    timing=Timing(1.0, 2.0, 3.0),
    versions={"torch": "2.14"},
)


def stored(folder: Path, content: bytes | None = None) -> LessonEvidence:
    """Write `evidence.json` and open it."""
    (folder / "evidence.json").write_bytes(msgspec.json.encode(FILE) if content is None else content)
    return LessonEvidence(folder)


def test_what_was_collected_comes_back(tmp_path: Path) -> None:
    """Every field of every kind of record survives being written and read."""
    assert stored(tmp_path).file == FILE


def test_records_are_found_by_what_they_are_about(tmp_path: Path) -> None:
    """A call by cell, name and flavour; a layer and maps by cell; a model and the data wherever they were taken."""
    evidence = stored(tmp_path)
    (call, layer), (model, shown), (data,) = (evidence.taken[f"{letter}_tests"] for letter in "abc")
    assert evidence.call("a_tests", "random", Flavour.TORCH) == call
    assert evidence.call("a_tests", "random", Flavour.NUMPY) is None
    assert evidence.call("b_tests", "random", Flavour.TORCH) is None
    assert evidence.layer("a_tests", "case_1") == layer
    assert evidence.layer("nowhere", "case_1") is None
    assert (evidence.model("gap"), evidence.model("deep")) == (model, None)
    assert evidence.maps("b_tests") == [shown]
    assert evidence.data() == data
    assert evidence.run("task1_convolution") == FILE.runs[1]
    assert evidence.run("task1_matrix") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b'{"schema": "\xff"}',
        b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b"{}",
        msgspec.json.encode(FILE)[:-1],
        msgspec.json.encode(FILE).replace(b'"quick"', b'"slow"'),
        msgspec.json.encode(FILE).replace(b'"layer"', b'"sabotage"'),
        msgspec.json.encode(FILE).replace(b"2.3", b"NaN"),
    ],
    ids=lambda raw: repr(raw[:20]),
)
def test_what_is_not_evidence_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, not UTF-8, too deep, truncated, or with values that no record has."""
    with pytest.raises(EvidenceError, match="is not evidence"):
        stored(tmp_path, content)


def test_evidence_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    """Fifteen million bytes that spell millions of lists, in either file, are refused before they are read."""
    bomb = b'{"cells": [' + b"[]," * 5_000_000 + b"[]]}"
    with pytest.raises(EvidenceError, match="is not evidence: it holds more than 8000000 values"):
        stored(tmp_path, bomb)
    evidence = stored(tmp_path)
    (tmp_path / "notebook.ipynb").write_bytes(bomb)
    with pytest.raises(EvidenceError, match="is not the executed notebook: it holds more than"):
        evidence.notebook  # noqa: B018


def test_evidence_of_another_version_is_named(tmp_path: Path) -> None:
    """The sentence says which version it is and which one is read."""
    with pytest.raises(EvidenceError, match=r"holds splot/evidence/v2; this version reads splot/evidence/v1"):
        stored(tmp_path, msgspec.json.encode(msgspec.structs.replace(FILE, schema="splot/evidence/v2")))


def test_missing_evidence_is_refused(tmp_path: Path) -> None:
    """Neither an empty folder nor none at all is evidence."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(EvidenceError, match=r"evidence\.json cannot be read"):
            LessonEvidence(folder)


@settings(
    max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=4))
def test_flipped_bytes_are_read_or_refused(tmp_path: Path, flips: list[tuple[int, int]]) -> None:
    """Real evidence with bytes changed anywhere raises nothing but a refusal."""
    raw = bytearray(msgspec.json.encode(FILE))
    for where, value in flips:
        raw[where % len(raw)] = value
    try:
        evidence = stored(tmp_path, bytes(raw))
    except EvidenceError:
        return
    assert msgspec.json.decode(msgspec.json.encode(evidence.file), type=EvidenceFile) == evidence.file


def test_an_array_is_read_from_below_the_folder(tmp_path: Path) -> None:
    """By its path's parts, and refused by name."""
    (tmp_path / "arrays").mkdir()
    np.save(tmp_path / "arrays/a.npy", np.arange(3))
    assert stored(tmp_path).array("arrays", "a.npy").tolist() == [0, 1, 2]
    with pytest.raises(EvidenceError, match=r"arrays/b\.npy cannot be read"):
        stored(tmp_path).array("arrays", "b.npy")


@pytest.mark.parametrize("content", ["", "{", "{}", "[]", "7", "[" * 100_000])
def test_an_executed_notebook_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    """A damaged notebook among the evidence is a refusal, not a crash."""
    evidence = stored(tmp_path)
    (tmp_path / "notebook.ipynb").write_text(content)
    with pytest.raises(EvidenceError, match="is not the executed notebook"):
        evidence.notebook.printed  # noqa: B018


def cell(source: object, grade_id: str | None = None, *outputs: object, locked: bool = False) -> dict[str, object]:
    """Return a code cell as the grader writes it."""
    meta = {"grade_id": grade_id, "locked": locked} if grade_id else {}
    return {"cell_type": "code", "metadata": meta, "source": source, "outputs": list(outputs)}


def test_the_students_code_and_text_are_told_from_the_instructors(tmp_path: Path) -> None:
    """Locked cells give neither code nor printed text; numbers count every cell."""
    stream = {"output_type": "stream", "text": ["1\n", "2"]}
    shown = {
        "output_type": "display_data",
        "data": {"text/plain": "plain", "text/html": ["<b>", "bold"], "image/png": "A"},
    }
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": "# text"},
        cell(["import torch\n", "x = 1"]),
        cell("secret = 1", "a_tests", stream, locked=True),
        cell("y = 2", "a", stream, shown),
    ]
    evidence = stored(tmp_path)
    (tmp_path / "notebook.ipynb").write_text(json.dumps({"cells": cells}))
    notebook = evidence.notebook
    found = [(index, cell.text, cell.is_students) for index, cell in notebook.code_before("a")]
    assert found == [(1, "import torch\nx = 1", True), (2, "secret = 1", False)]
    assert notebook.source("a") == "y = 2"
    assert [notebook.locked(index) for index in (1, 2, 3, 99)] == [False, True, False, False]
    assert notebook.printed.split() == ["1", "2", "plain", "<b>bold"]


@pytest.mark.parametrize(
    "output",
    [{"text": 5}, {"data": 5}, {"data": None}, {"data": {"text/plain": 5}}, {"data": {"text/html": [1, "a"]}}, {}],
)
def test_outputs_of_any_type_print_something_or_nothing(output: dict[str, object]) -> None:
    """A notebook that shows a number where text belongs cannot stop its own judging."""
    assert msgspec.convert({"cells": [cell("x", None, output)]}, Executed).printed.strip() in {"", "a"}


def test_a_refusal_that_quotes_a_stranger_stays_a_sentence() -> None:
    """However much of the evidence a reader's complaint repeats, what people read is one line of bounded length."""
    refusal = EvidenceError(f"graph.json is not a model's graph: Invalid enum value '{'A' * 10_000}\n::error::'.")
    assert len(str(refusal)) < 700
    assert "\n" not in str(refusal)
