"""What passes between grader and sandbox as files: requests in, answers out, and the folder sealed at the end.

Requests are data: names and inputs, never an expected value. Answers are taken file by file; `evidence.json` is written
last and synced: where it exists, every file that it lists does.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
import nbformat
import numpy as np
from nbformat.v4 import new_output

from autograder.deletion import delete
from autograder.errors import EvidenceError, GraderError
from autograder.evidence.probes import IMAGE_SHAPES, CallProbe, DataProbe, MapProbe, Probe, generator, random_images
from autograder.evidence.reader import MAX_ARRAY, MAX_JSON, UNREADABLE
from autograder.evidence.records import (
    CallRecord,
    DataRecord,
    EvidenceFile,
    Failure,
    Fault,
    MapRecord,
    ModelRecord,
    Probed,
    Record,
)
from autograder.files import PRIVATE, make_private, open_beneath, parse_array, read_beneath, write_whole
from autograder.lift import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES, too_heavy
from autograder.text import say


def write_requests(probes: Sequence[Probe], seed: str, folder: Path) -> None:
    """Write what is asked at one test cell, and the inputs that go with it, where the probe reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    requests = []
    for probe in probes:
        request: dict[str, object] = {"kind": type(probe).__name__.removesuffix("Probe").lower(), "name": probe.name}
        if isinstance(probe, CallProbe):
            drawn = probe.draw(generator(seed, f"{probe.cell}/{probe.name}"))
            request |= {"function": probe.function, "steps": probe.steps}
            request["arguments"] = [_argument(value, folder, f"{probe.name}-{i}.npy") for i, value in enumerate(drawn)]
        elif isinstance(probe, MapProbe):
            request["models"] = list(probe.models)
        elif isinstance(probe, DataProbe):
            for name in IMAGE_SHAPES:
                np.save(folder / f"{name}.npy", random_images(seed, name), allow_pickle=False)
        requests.append(request)
    (folder / "request.json").write_text(json.dumps(requests))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _argument(value: object, folder: Path, name: str) -> dict[str, object]:
    if isinstance(value, int):
        return {"value": value}
    np.save(folder / name, np.asarray(value), allow_pickle=False)
    return {"array": name}


def seal(folder: Path, notebook: nbformat.NotebookNode, file: EvidenceFile) -> None:
    """Write the executed notebook and, last and whole, `evidence.json`; raises `OSError` or `SplotError` on a full disk.

    Who finds `evidence.json` finds all it speaks of, after a crash of the machine too.
    """
    for path in folder.rglob("*"):
        _sync(path)
    write_whole(folder / "notebook.ipynb", written(notebook), PRIVATE)
    write_whole(folder / "evidence.json", msgspec.json.encode(file), PRIVATE)


def withdraw(folder: Path) -> None:
    """Delete the evidence that an earlier run left, `evidence.json` first; raises `OSError` where some of it stays."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    (folder / "evidence.json").unlink(missing_ok=True)
    shutil.rmtree(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def written(notebook: nbformat.NotebookNode, limit: int = MAX_JSON) -> bytes:
    """Return the executed notebook as a file of at most `limit` bytes: the largest outputs go first."""
    content: bytes = nbformat.writes(notebook).encode("utf-8", "replace")
    loud = sorted((c for c in notebook.cells if c.get("outputs")), key=lambda c: len(json.dumps(c)))
    while len(content) > limit and loud:
        loud.pop().outputs = [new_output("stream", text="[…]")]
        content = nbformat.writes(notebook).encode("utf-8", "replace")
    return content


MAX_ANSWER = 2_000_000  # of every test cell's; together they stay within what `evidence.json` may hold
MAX_RECORDS = 1_000
MAX_OTHER = 256_000_000  # of a submission: graphs and arrays, all but the weights
CHUNK = 1_000_000
WEIGHTS = "weights.npz"
FOLDERS = ("arrays", "models", "transform")
PATIENCE_S = 2.0
"""For what is left of an answer: the notebook still runs, and may put it back. What stays counts against its limit."""


class Answer(msgspec.Struct, frozen=True):
    """What the probe writes as `answer.json`."""

    records: Annotated[tuple[Record, ...], msgspec.Meta(max_length=MAX_RECORDS)]


def take(outbox: Path, cell: str, evidence: Path) -> Probed:
    """Move what the probe took at `cell` into the evidence folder; a file that does not fit refuses the cell's.

    Raises `GraderError` where the evidence folder cannot be written; nothing that lies in the outbox raises.
    """
    try:
        answer = _answer(read_beneath(outbox, cell, "answer.json", limit=MAX_ANSWER))
        budget = _Budget(evidence)
        for name, target, limit in dict.fromkeys(file for record in answer.records for file in _files(record, cell)):
            make_private((evidence / target).parent, evidence)
            budget.take(outbox, (cell, *name), evidence / target, limit)
    except EvidenceError as error:
        return Probed(cell, failure=Failure(Fault.ERROR, "EvidenceError", str(error)[:500]))
    except OSError as error:
        raise GraderError(f"Evidence cannot be written to {evidence}: {error.strerror}.") from error
    finally:
        delete(outbox / cell, PATIENCE_S)
    return Probed(cell, answer.records)


def _answer(raw: bytes) -> Answer:
    """Read `answer.json`; what could not be written down again within the same cap is refused."""
    try:
        answer = msgspec.json.decode(raw, type=Answer)
        size = len(msgspec.json.encode(answer))
    except (*UNREADABLE, OverflowError) as error:
        raise EvidenceError(
            say(pl=f"answer.json nie zawiera odpowiedzi: {error}.", en=f"answer.json is not an answer: {error}.")
        ) from error
    if size > MAX_ANSWER:
        raise EvidenceError(
            say(
                pl=f"answer.json po zapisaniu ma ponad {MAX_ANSWER} B.",
                en=f"answer.json is longer than {MAX_ANSWER} bytes when it is written out.",
            )
        )
    return answer


def _files(record: Record, cell: str) -> Iterator[tuple[tuple[str, ...], str, int]]:
    """Yield the files a record speaks of: where they lie below the cell's folder, where they go, their cap."""
    if isinstance(record, CallRecord) and record.array:
        yield (f"{record.name}-{record.flavour}.npy",), call_array(cell, record), MAX_ARRAY
    elif isinstance(record, MapRecord) and record.array:
        yield (map_array(record),), f"arrays/{map_array(record)}", MAX_ARRAY
    elif isinstance(record, DataRecord) and record.pairs:
        for name in ("random.npy", "visible.npy"):
            yield (name,), f"transform/{name}", MAX_ARRAY
    elif isinstance(record, ModelRecord) and record.method:
        caps = {"graph.json": MAX_GRAPH_BYTES, WEIGHTS: MAX_WEIGHT_BYTES}
        if record.train_graph:
            caps["train.json"] = MAX_GRAPH_BYTES
        if record.outputs:
            caps["outputs.npy"] = MAX_ARRAY
        for name, cap in caps.items():
            yield (record.name, name), f"models/{record.name}/{name}", cap


def call_array(cell: str, record: CallRecord) -> str:
    """Where the array of one call stands in an evidence folder."""
    return f"arrays/{cell}-{record.name}-{record.flavour}.npy"


def map_array(record: MapRecord) -> str:
    """The file name of one class activation map."""
    return f"map-{record.model}-{record.image}.npy"


class _Budget:
    """What one submission's evidence may still take: so much for the weights of all models, so much for all else."""

    def __init__(self, evidence: Path) -> None:
        self._left = {True: MAX_WEIGHT_BYTES, False: MAX_OTHER}
        for path in (path for folder in FOLDERS for path in (evidence / folder).rglob("*") if path.is_file()):
            self._left[path.name == WEIGHTS] -= path.stat().st_size

    def take(self, outbox: Path, parts: tuple[str, ...], target: Path, limit: int) -> None:
        """Copy one file within its own limit and the budget; raises `EvidenceError` where it does not fit."""
        weights = target.name == WEIGHTS
        if target.exists():  # of the same model, taken before
            self._left[weights] += target.stat().st_size
        with open_beneath(outbox, *parts, limit=limit) as source:
            if os.fstat(source.fileno()).st_size > self._left[weights]:
                raise _past(parts)
        self._left[weights] -= _move(outbox, parts, target, min(limit, self._left[weights]))


def _past(parts: tuple[str, ...]) -> EvidenceError:
    where = "/".join(parts)
    if parts[-1] == WEIGHTS:
        return too_heavy(where)
    return EvidenceError(
        say(
            pl=f"{where}: dane z całego notebooka mogą zajmować najwyżej {MAX_OTHER} B, a z tym plikiem zajmują więcej.",
            en=f"{where}: what is taken of the whole notebook may have {MAX_OTHER} bytes; with this file it has more.",
        )
    )


def _move(outbox: Path, parts: tuple[str, ...], target: Path, limit: int) -> int:
    """Copy one file and return its size; an array is read first, so that none is kept that the judge cannot read."""
    if target.suffix == ".npy":
        raw = read_beneath(outbox, *parts, limit=limit)
        parse_array(raw, "/".join(parts))
        with _private_file(target) as copy:
            return copy.write(raw)
    with open_beneath(outbox, *parts, limit=limit) as source, _private_file(target) as copy:
        while chunk := source.read(CHUNK):
            copy.write(chunk)
            if copy.tell() > limit:
                raise EvidenceError(
                    say(
                        pl=f"{'/'.join(parts)} podczas przenoszenia urósł powyżej {limit} B.",
                        en=f"{'/'.join(parts)} grew past {limit} bytes while it was taken.",
                    )
                )
        return copy.tell()


def _private_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb")
