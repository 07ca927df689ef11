"""Take the probe's answer out of the outbox, file by file, into the evidence folder.

The outbox is written by a stranger. Names are ours, not theirs: only files that a well-formed record speaks of are
taken, each a plain file within its cap, and whatever else lies there is deleted unread.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec

from autograder.deletion import delete
from autograder.errors import EvidenceError, GraderError
from autograder.evidence.reader import MAX_ARRAY, UNREADABLE
from autograder.evidence.records import CallRecord, DataRecord, Failure, Fault, MapRecord, ModelRecord, Probed, Record
from autograder.language import say
from autograder.lift import MAX_GRAPH_BYTES, MAX_WEIGHT_BYTES, too_heavy
from autograder.plainfile import open_beneath, parse_array, read_beneath
from autograder.wholefile import PRIVATE, make_private

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
