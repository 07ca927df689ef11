"""The outbox: what a stranger wrote is taken whole or refused, deleted in any case, and never stops the grader."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.engine.errors import GraderError
from autograder.engine.evidence import exchange as module
from autograder.engine.evidence.exchange import take
from autograder.engine.evidence.records import Fault, Probed
from autograder.lesson import LESSON
from autograder.lesson.observations import CallRecord, Flavour, ModelRecord

pytestmark = pytest.mark.usefixtures("english")

CELL = "task1_convolution_tests"
CALL = {"kind": "call", "name": "random", "flavour": "numpy", "array": True}
MODEL = {"kind": "model", "name": "baseline", "method": "export", "outputs": True, "train_graph": True}
DATA = {"kind": "data", "pairs": True}
MAP = {"kind": "map", "name": "cam", "model": "gap", "image": 3, "class_index": 1, "array": True}


class Box:
    """An outbox with a cell's folder in it, and an evidence folder beside it."""

    def __init__(self, root: Path) -> None:
        self.outbox, self.evidence = root / "outbox", root / "evidence"
        self.cell = self.outbox / CELL
        self.cell.mkdir(parents=True)
        self.evidence.mkdir()

    def answer(self, *records: object) -> None:
        """Write `answer.json`."""
        (self.cell / "answer.json").write_text(json.dumps({"records": records}))

    def array(self, name: str) -> Path:
        """Write an array as the probe does."""
        path = self.cell / name
        path.parent.mkdir(exist_ok=True)
        np.save(path, np.arange(4.0), allow_pickle=False)
        return path

    def take(self) -> Probed:
        """Take the answer, and assert that nothing of it is left."""
        try:
            return take(self.outbox, CELL, self.evidence, LESSON.schema)
        finally:
            assert not os.path.lexists(self.cell)

    def taken(self) -> list[str]:
        """Return the files in the evidence folder."""
        return sorted(str(p.relative_to(self.evidence)) for p in self.evidence.rglob("*") if p.is_file())


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """Give an empty outbox."""
    return Box(tmp_path)


def assert_refused(probed: Probed, *, saying: str = "") -> None:
    """Assert that a cell's answer was refused in one bounded sentence, and nothing of it kept."""
    assert probed.records == ()
    assert probed.failure is not None
    assert (probed.failure.fault, probed.failure.type) == (Fault.ERROR, "EvidenceError")
    assert saying in probed.failure.message
    assert len(probed.failure.message) <= 500


def test_an_answer_and_its_files_become_evidence(box: Box) -> None:
    """Every record's files stand where the judge looks for them; what no record speaks of is deleted unread."""
    box.answer(CALL, MODEL, DATA, MAP, CALL)
    for name in ("random-numpy.npy", "random.npy", "visible.npy", "map-gap-3.npy", "baseline/outputs.npy", "other.npy"):
        box.array(name)
    for name in ("graph.json", "train.json", "weights.npz"):
        (box.cell / "baseline" / name).write_bytes(b"as it came")
    probed = box.take()
    assert probed.failure is None
    call = CallRecord("random", Flavour.NUMPY, array=True)
    model = ModelRecord("baseline", method="export", outputs=True, train_graph=True)
    assert probed.records[:2] == Probed.from_records(CELL, call, model).records
    assert box.taken() == [
        "arrays/map-gap-3.npy",
        "arrays/task1_convolution_tests-random-numpy.npy",
        "models/baseline/graph.json",
        "models/baseline/outputs.npy",
        "models/baseline/train.json",
        "models/baseline/weights.npz",
        "transform/random.npy",
        "transform/visible.npy",
    ]
    assert (box.evidence / "models/baseline/weights.npz").read_bytes() == b"as it came"
    assert np.array_equal(np.load(box.evidence / "transform/random.npy"), np.arange(4.0))


def record(**fields: object) -> bytes:
    """Return an answer with one layer record of these fields."""
    return json.dumps({"records": [{"kind": "layer", "name": "case_1"} | fields]}).encode()


ANSWERS = [
    b"",
    b"\xff\xfe",
    b"{}",
    b"null",
    b"[]",
    b'{"records": 7}',
    b'{"records": [7]}',
    b'{"records": [{"kind": "file", "name": "a"}]}',
    b'{"records": [{"name": "a"}]}',
    b'{"records": [' + b"[" * 100_000,
    b'{"records": [], "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"records": [], "x": ' + b'{"x":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
    b'{"records": [{"kind": "model", "name": "a", "results": {"accuracy": NaN}}]}',
    b'{"records": [{"kind": "model", "name": "a", "results": {"accuracy": 1e999}}]}',
    b'{"records": [{"kind": "model", "name": "a", "results": {"accuracy": "1"}}]}',
    b'{"records": [{"kind": "layer", "name": "\xff"}]}',
    b'{"records": [{"kind": "layer", "name": "a", "type": "\xff"}]}',
    b'{"records": [{"kind": "layer", "name": "a", "type": "\\ud800"}]}',
    record(name="../../evidence"),
    record(name="/etc/passwd"),
    record(name="a\n"),
    record(name=""),
    record(name="a" * 65),
    record(name=None),
    record(type="x" * 2_001),
    record(groups=int("9" * 4_000)),
    record(groups=1.5),
    record(kernel_size=[1, 2, 3]),
    record(failure={"fault": "sabotage"}),
    json.dumps({"records": [MAP | {"image": 100}]}).encode(),
    json.dumps({"records": [{"kind": "model", "name": "a", "history": {"val_loss": [0.5] * 10_001}}]}).encode(),
    json.dumps({"records": [{"kind": "layer", "name": "a"}] * 1_001}).encode(),
    b" " * 2_000_001,
]


@pytest.mark.parametrize("raw", ANSWERS, ids=lambda raw: repr(raw[:60]))
def test_a_malformed_answer_is_refused(box: Box, raw: bytes) -> None:
    """Bytes that are not JSON, too deep or too long, wrong types, wrong names, numbers that are none."""
    (box.cell / "answer.json").write_bytes(raw)
    assert_refused(box.take())
    assert box.taken() == []


def test_an_answer_is_never_longer_written_out_than_it_may_be(box: Box) -> None:
    """Numbers that grow when they are written down again cannot make the evidence unreadable."""
    epochs = "[" + "1e15," * 9_999 + "1e15]"
    grows = f'{{"kind": "model", "name": "a", "history": {{"val_loss": {epochs}, "train_loss": {epochs}}}}}'
    (box.cell / "answer.json").write_text('{"records": [' + ",".join([grows] * 12) + "]}")
    assert_refused(box.take(), saying="longer than")


def sparse(path: Path) -> None:
    """Make a file of a terabyte that takes no room."""
    path.touch()
    os.truncate(path, 2**40)


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "folder", "hard link", "sparse", "text", "pickle"])
def test_a_file_that_does_not_fit_refuses_its_cell(box: Box, tmp_path: Path, kind: str) -> None:
    """An array that is missing, linked, a pipe, too large, or no array at all is not evidence."""
    box.answer(CALL)
    secret, path = tmp_path / "secret.npy", box.cell / "random-numpy.npy"
    np.save(secret, np.zeros(3))
    make: dict[str, Callable[[], object]] = {
        "missing": lambda: None,
        "link": lambda: path.symlink_to(secret),
        "pipe": lambda: os.mkfifo(path),
        "folder": path.mkdir,
        "hard link": lambda: path.hardlink_to(secret),
        "sparse": lambda: sparse(path),
        "text": lambda: path.write_text("no array"),
        "pickle": lambda: np.save(path, np.array([{}], dtype=object), allow_pickle=True),
    }
    make[kind]()
    assert_refused(box.take(), saying="random-numpy.npy")
    assert box.taken() == []
    assert secret.exists()


def test_a_model_folder_that_is_a_link_is_not_followed(box: Box, tmp_path: Path) -> None:
    """A linked folder's files are neither taken nor deleted."""
    box.answer(MODEL)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("graph.json", "weights.npz", "train.json", "outputs.npy"):
        (elsewhere / name).touch()
    (box.cell / "baseline").symlink_to(elsewhere)
    assert_refused(box.take(), saying="baseline/graph.json")
    assert len(list(elsewhere.iterdir())) == 4


@pytest.mark.parametrize("kind", ["nothing", "link", "file", "pipe"])
def test_a_cells_folder_that_is_none_is_refused_and_removed(box: Box, tmp_path: Path, kind: str) -> None:
    """A link in its place is removed, what it leads to is not."""
    box.cell.rmdir()
    if kind == "link":
        box.cell.symlink_to(box.evidence)
    elif kind == "file":
        box.cell.touch()
    elif kind == "pipe":
        os.mkfifo(box.cell)
    (tmp_path / "evidence" / "answer.json").write_text('{"records": []}')
    assert_refused(box.take(), saying=f"{CELL}/answer.json")
    assert box.taken() == ["answer.json"]


def test_a_tree_deeper_than_python_recurses_is_deleted() -> None:
    """A chain of 1,500 folders, and one that nobody may enter, do not outlive the taking (on a disk: in seconds)."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        fill_deep(box := Box(Path(memory)))
        assert box.take() == Probed(CELL)


def fill_deep(box: Box) -> None:
    """Answer nothing, and leave a chain of folders behind."""
    box.answer()
    (box.cell / "locked").mkdir(mode=0)
    here = os.open(box.cell, os.O_RDONLY)
    for _ in range(1_500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_what_a_submission_hands_in_is_bounded(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many files within their own caps, sparse ones too, are still too much together, over all cells."""
    monkeypatch.setattr(module, "MAX_OTHER", 1_000)
    for cell in ("first", "second"):
        box.cell = box.outbox / cell
        box.cell.mkdir()
        box.answer(*(CALL | {"name": f"n{i}"} for i in range(4)))
        for i in range(4):
            box.array(f"n{i}-numpy.npy")  # 160 bytes each
        probed = take(box.outbox, cell, box.evidence, LESSON.schema)
    assert_refused(probed, saying="second/n2-numpy.npy: what is taken of the whole notebook may have 1000 bytes")


def weigh(box: Box, name: str, size: int) -> Probed:
    """Hand in a model with weights of that many bytes."""
    box.cell = box.outbox / name
    (box.cell / name).mkdir(parents=True)
    box.answer({"kind": "model", "name": name, "method": "export"})
    (box.cell / name / "graph.json").write_text("{}")
    (box.cell / name / "weights.npz").touch()
    os.truncate(box.cell / name / "weights.npz", size)
    return take(box.outbox, name, box.evidence, replace(LESSON.schema, heavy_bytes=1_000))


def test_the_weights_of_all_models_share_one_budget(box: Box) -> None:
    """The file that goes past it is named and not kept; a lighter model after it, and one taken again, still fit."""
    assert weigh(box, "baseline", 400).failure is None
    assert weigh(box, "max_pool", 500).failure is None
    assert_refused(weigh(box, "avg_pool", 101), saying="avg_pool/avg_pool/weights.npz: the weights of all models")
    assert weigh(box, "baseline", 450).failure is None
    assert weigh(box, "gap", 50).failure is None
    assert_refused(weigh(box, "deep", 1), saying="deep/deep/weights.npz: the weights of all models may take 512 MB")
    assert [path for path in box.taken() if path.endswith("weights.npz")] == [
        f"models/{name}/weights.npz" for name in ("baseline", "gap", "max_pool")
    ]


def test_an_evidence_folder_that_cannot_be_written_is_the_graders_fault(box: Box) -> None:
    """A full disk or a lost folder never costs the student: `GraderError`, and the outbox is empty all the same."""
    box.answer(CALL)
    box.array("random-numpy.npy")
    box.evidence.rmdir()
    box.evidence.touch()
    with pytest.raises(GraderError, match="Evidence cannot be written"):
        box.take()


RECORDS: list[dict[str, Any]] = [CALL, MODEL, DATA, MAP, {"kind": "layer", "name": "case_1", "kernel_size": [3, 3]}]
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=25, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    fields=st.lists(
        st.tuples(
            st.integers(0, 4), st.sampled_from([*CallRecord.__struct_fields__, *ModelRecord.__struct_fields__]), ODD
        ),
        min_size=1,
        max_size=3,
    )
)
def test_any_value_in_any_field_is_taken_or_refused(tmp_path: Path, fields: list[tuple[int, str, object]]) -> None:
    """Records with values of any type in their fields never stop the grader, and no file stands outside its place."""
    shutil.rmtree(tmp_path)
    box = Box(tmp_path)
    records = [dict(record) for record in RECORDS]
    for index, name, value in fields:
        records[index][name] = value
    box.answer(*records)
    probed = box.take()
    assert probed.records == () or probed.failure is None
    assert {path.split("/")[0] for path in box.taken()} <= {"arrays", "models", "transform"}
    assert [path.name for path in tmp_path.iterdir()] in (["outbox", "evidence"], ["evidence", "outbox"])
