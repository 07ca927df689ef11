"""Take the probe's answer out of the outbox, file by file, into the evidence folder.

The outbox is written by a stranger. Names are ours, not theirs: only files that a well-formed record speaks of are
taken, each a plain file within its cap, and whatever else lies there is deleted unread.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from autograder.errors import EvidenceError
from autograder.evidence import (
    MAX_ARRAY,
    MAX_JSON,
    CallRecord,
    DataRecord,
    Failure,
    Fault,
    MapRecord,
    ModelRecord,
    Probed,
    Record,
    open_beneath,
    read_beneath,
)

MAX_GRAPH = 16_000_000
MAX_WEIGHTS = 512_000_000
CHUNK = 1_000_000


class Answer(msgspec.Struct, frozen=True):
    """What the probe writes as `answer.json`."""

    records: tuple[Record, ...]


def take(outbox: Path, cell: str, evidence: Path) -> Probed:
    """Move what the probe took at `cell` into the evidence folder; a file that does not fit refuses the cell's."""
    try:
        answer = msgspec.json.decode(read_beneath(outbox, cell, "answer.json", limit=MAX_JSON), type=Answer)
        for record in answer.records:
            for name, target, limit in _files(record, cell):
                _move(outbox, (cell, *name), evidence / target, limit)
    except (EvidenceError, msgspec.DecodeError, RecursionError) as error:
        return Probed(cell, failure=Failure(Fault.ERROR, "EvidenceError", str(error)[:500]))
    finally:
        shutil.rmtree(outbox / cell, ignore_errors=True)
    return Probed(cell, answer.records)


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
        caps = {"graph.json": MAX_GRAPH, "weights.npz": MAX_WEIGHTS}
        if record.train_graph:
            caps["train.json"] = MAX_GRAPH
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


def _move(outbox: Path, parts: tuple[str, ...], target: Path, limit: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_beneath(outbox, *parts, limit=limit) as source, target.open("wb") as copy:
        for _ in range(0, limit + 1, CHUNK):
            chunk = source.read(CHUNK)
            if not chunk:
                return
            copy.write(chunk)
    raise EvidenceError(f"{'/'.join(parts)} grew past {limit} bytes while it was taken.")
