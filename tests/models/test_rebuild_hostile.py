"""Whatever stands in a graph or an archive, `rebuild_model` refuses it with one sentence or builds a model: it never breaks."""

import json
import os
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from autograder.engine.errors import EvidenceError
from autograder.models.capture.export import export_model
from autograder.models.rebuild import rebuild_model
from autograder.models.rebuild.build import LAYERS
from autograder.models.rebuild.operations import functions
from tests.models import student_models as styles

pytestmark = pytest.mark.usefixtures("english")

Document = dict[str, Any]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """The plain sequential model as data, to be spoilt: conv, relu, pool, conv, relu, flatten, linear."""
    export_model(styles.sequential(), torch.rand(2, 1, 28, 28), tmp_path)
    return tmp_path


def edit(folder: Path, change: Callable[[Document], object]) -> None:
    """Change the graph in place."""
    document = json.loads((folder / "graph.json").read_text())
    change(document)
    (folder / "graph.json").write_text(json.dumps(document))


def node(op: str, *args: object, shape: list[int] | None = None, name: str = "evil") -> Document:
    """One operation as it stands in the file."""
    return {"name": name, "op": op, "args": list(args), "kwargs": {}, "shape": shape, "dtype": None, "autocast": None}


LAST, MAP = {"node": "linear"}, {"node": "relu"}


def end_with(op: str, *args: object) -> Callable[[Document], object]:
    """Let the model end in one more operation."""

    def change(document: Document) -> None:
        document["nodes"].append(node(op, *args))
        document["output"] = "evil"

    return change


def split_wide(document: Document) -> None:
    """Cut a wide tensor into a million parts."""
    document["nodes"] += [node("aten.expand.default", LAST, [100_000, 2, 10], name="wide"),
                          node("aten.unbind.int", {"node": "wide"}, name="parts"),
                          node("getitem", {"node": "parts"}, 0)]  # fmt: skip
    document["output"] = "evil"


def change_weight(document: Document) -> None:
    """Add the images to a weight in place, through a view of it that is read again later."""
    weight = {"node": document["weights"][-1]["name"]}
    document["nodes"] += [node("aten.view.default", weight, [-1], name="flat"),
                          node("aten.sum.default", LAST, name="total"),
                          node("aten.add_.Tensor", weight, {"node": "total"}, name="changed"),
                          node("aten.add.Tensor", LAST, {"node": "flat"})]  # fmt: skip
    document["output"] = "evil"


EDITS: dict[str, tuple[Callable[[Document], object], str]] = {
    "unknown operation": (end_with("aten.system.default", LAST), "'aten.system.default' is not an operation"),
    "python path": (end_with("os.system", "ls"), "'os.system' is not an operation"),
    "dunder": (end_with("aten.__class__.default", LAST), "is not an operation"),
    "as_strided": (end_with("aten.as_strided.default", LAST, [9], [1], 99), "is not an operation"),
    "file": (end_with("aten.from_file.default", "/etc/passwd"), "is not an operation"),
    "unknown name": (end_with("aten.relu.default", {"node": "ghost"}), "reads 'ghost' before it is there"),
    "itself": (end_with("aten.relu.default", {"node": "evil"}), "reads 'evil' before it is there"),
    "name twice": (lambda d: d["nodes"].append(d["nodes"][0]), "is given twice"),
    "no output": (lambda d: d.update(output="ghost"), "its output is never computed"),
    "output is the input": (lambda d: d.update(output=d["inputs"][0]["name"]), "not computed from its images"),
    "two inputs": (lambda d: d["inputs"].append(d["inputs"][0]), "of length <= 1"),
    "extra field": (lambda d: d.update(code="1"), "unknown field"),
    "other version": (lambda d: d.update(version=2), "version"),
    "negative size": (lambda d: d["inputs"][0].update(shape=[-1, 1, 28, 28]), "Expected `int` >= 0"),
    "huge value": (lambda d: d["nodes"][0].update(shape=[2**20, 2**20]), "more than 268435456 elements"),
    "empty batch": (lambda d: d["inputs"][0].update(shape=[0, 1, 28, 28]), "takes no batch"),
    "false shape": (lambda d: d["nodes"][0].update(shape=[2, 8, 1, 1]), r"gives \(2, 8, 26, 26\) where the graph says"),
    "false dtype": (lambda d: d["nodes"][0].update(dtype="float64"), "where the graph says torch.float64"),
    "deep": (end_with("aten.relu.default", json.loads("[" * 50 + "]" * 50)), "nested too deep"),
    "odd argument": (end_with("aten.relu.default", {"eval": "1"}), "neither a number, a word, a list nor a reference"),
    "long word": (end_with("aten.relu.default", "x" * 100), "a text too long"),
    "wrong argument": (end_with("aten.add.Tensor", LAST, "same"), "fails"),
    "huge padding": (lambda d: d["nodes"][0]["args"].extend([[1, 1], [10**9, 10**9]]), "a kernel's sizes"),
    "huge pad": (end_with("aten.constant_pad_nd.default", MAP, [2**20, 2**20, 2**20, 2**20]), "too much memory"),
    "huge zeros": (end_with("aten.zeros.default", [2**40]), "too much memory"),
    "huge range": (end_with("aten.arange.start_step", 0, 10**15, 1e-3), "evil"),
    "huge outer product": (end_with("aten.repeat.default", LAST, [2**20, 2**20]), "too much memory"),
    "huge pooling": (end_with("aten.adaptive_avg_pool2d.default", MAP, [4096, 4096]), "too much"),
    "huge upsampling": (end_with("aten.upsample_nearest2d.default", MAP, [2**20, 2**20]), "too much memory"),
    "many parts": (split_wide, "more than 1024 parts"),
    "huge einsum": (end_with("aten.einsum.default", "abcd,efgh,ijkl->a", [MAP] * 3), "its product is too large"),
    "changed weight": (change_weight, "changes its own weight"),
    "division by zero": (lambda d: d["nodes"][0]["args"].extend([[0, 0]]), "a kernel's sizes"),
    "zero groups": (lambda d: d["nodes"][0]["args"].extend([[1, 1], [0, 0], [1, 1], 0]), "does not fit"),
    "two results": (end_with("getitem", {"node": "max_pool2d"}, 1), "getitem takes one of several tensors"),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_hostile_graph_is_refused_in_one_sentence(name: str, model: Path) -> None:
    """Each edit is refused at once, by its own sentence, without the memory it asks for."""
    change, message = EDITS[name]
    edit(model, change)
    before, start = peak(), time.monotonic()
    with pytest.raises(EvidenceError, match=message):
        rebuild_model(model)
    assert time.monotonic() - start < 10
    assert peak() - before < 500


def peak() -> float:
    """The most memory this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", "[" * 100_000, '{"version": 1e999}', "\ud800"])
def test_what_is_not_a_graph_at_all_is_refused(text: str, model: Path) -> None:
    """Empty, truncated, another type, endlessly nested, not UTF-8."""
    (model / "graph.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(EvidenceError, match="is not a model's graph"):
        rebuild_model(model)


def members(folder: Path) -> dict[str, bytes]:
    """The archive's members as bytes."""
    with zipfile.ZipFile(folder / "weights.npz") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(folder: Path, content: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> None:
    """Write the archive anew."""
    with zipfile.ZipFile(folder / "weights.npz", "w", method) as archive:
        for name, raw in content.items():
            archive.writestr(name, raw)


def pickled(folder: Path) -> None:
    """Store an array of objects, which NumPy would unpickle."""
    np.savez(folder / "weights.npz", **{name[:-4]: np.array([print], dtype=object) for name in members(folder)})  # type: ignore[arg-type]


def linked(folder: Path) -> None:
    """Put a link in the archive's place."""
    (folder / "weights.npz").rename(folder / "elsewhere.npz")
    (folder / "weights.npz").symlink_to("elsewhere.npz")


def a_pipe(folder: Path) -> None:
    """Put a pipe in the archive's place: reading it would wait for ever."""
    (folder / "weights.npz").unlink()
    os.mkfifo(folder / "weights.npz")


def too_large(folder: Path) -> None:
    """Make one member larger than the graph says."""
    content = members(folder)
    rewrite(folder, content | {"w0.npy": content["w0.npy"] + bytes(10**7)})


def truncated(folder: Path) -> None:
    """Cut the archive's end off."""
    raw = (folder / "weights.npz").read_bytes()
    (folder / "weights.npz").write_bytes(raw[: len(raw) // 2])


def false_header(folder: Path) -> None:
    """Let a header promise an array of a terabyte."""
    content = members(folder)
    rewrite(folder, content | {"w0.npy": content["w0.npy"].replace(b"(8, 1, 3, 3)", b"(8, 9**9,3)")})


ARCHIVES: dict[str, tuple[Callable[[Path], object], str]] = {
    "pickled": (pickled, "not that of a plain array of numbers"),
    "compressed": (lambda folder: rewrite(folder, members(folder), zipfile.ZIP_DEFLATED), "is packed"),
    "missing member": (lambda folder: rewrite(folder, {}), "lacks w0"),
    "missing": (lambda folder: (folder / "weights.npz").unlink(), "cannot be read"),
    "empty": (lambda folder: (folder / "weights.npz").write_bytes(b""), "not a readable archive"),
    "truncated": (truncated, "not a readable archive"),
    "link": (linked, "cannot be read"),
    "pipe": (a_pipe, "not a plain file"),
    "too large": (too_large, "larger than the graph says"),
    "false header": (false_header, "not that of a plain array of numbers"),
    "declared huge": (lambda f: edit(f, lambda d: d["weights"][0].update(shape=[2**14, 2**14, 2])), "more than"),
    "declared heavy": (lambda f: edit(f, lambda d: d["weights"][0].update(shape=[2**27])), "may take 512 MB together"),
    "other dtype": (lambda f: edit(f, lambda d: d["weights"][0].update(dtype="int32")), "has not the shape and type"),
    "other shape": (lambda f: edit(f, lambda d: d["weights"][0].update(shape=[8, 9])), "has not the shape and type"),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused_in_one_sentence(name: str, model: Path) -> None:
    """Pickles, bombs, links, pipes, lies about size: refused before anything is unpacked or unpickled."""
    change, message = ARCHIVES[name]
    change(model)
    with pytest.raises(EvidenceError, match=message):
        rebuild_model(model)


def test_a_member_that_stands_twice_is_refused(model: Path) -> None:
    """Two members of one name could be read as either."""
    with zipfile.ZipFile(model / "weights.npz", "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("w0.npy", b"")
    with pytest.raises(EvidenceError, match="or one twice"):
        rebuild_model(model)


def test_every_layer_has_a_plain_function_beside_it() -> None:
    """Where a layer's weights are computed from the images, the operation itself stands in: both lists agree."""
    assert LAYERS.keys() - functions().keys() == set()
