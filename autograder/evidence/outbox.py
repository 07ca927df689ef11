"""Take the probe's answer out of the outbox, file by file, into the evidence folder.

The outbox is written by a stranger. Names are ours, not theirs: only files that a well-formed record speaks of are
taken, each a plain file within its cap, and whatever else lies there is deleted unread.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec

from autograder.errors import EvidenceError, GraderError
from autograder.evidence.reader import MAX_ARRAY, UNREADABLE
from autograder.evidence.records import CallRecord, DataRecord, Failure, Fault, MapRecord, ModelRecord, Probed, Record
from autograder.language import say
from autograder.plainfile import open_beneath, parse_array, read_beneath

MAX_ANSWER = 2_000_000  # of every test cell's; together they stay within what `evidence.json` may hold
MAX_RECORDS = 1_000
MAX_CELL = 1_000_000_000
MAX_GRAPH = 16_000_000
MAX_WEIGHTS = 512_000_000
CHUNK = 1_000_000


class Answer(msgspec.Struct, frozen=True):
    """What the probe writes as `answer.json`."""

    records: Annotated[tuple[Record, ...], msgspec.Meta(max_length=MAX_RECORDS)]


def take(outbox: Path, cell: str, evidence: Path) -> Probed:
    """Move what the probe took at `cell` into the evidence folder; a file that does not fit refuses the cell's.

    Raises `GraderError` where the evidence folder cannot be written; nothing that lies in the outbox raises.
    """
    try:
        answer = _answer(read_beneath(outbox, cell, "answer.json", limit=MAX_ANSWER))
        left = MAX_CELL
        for name, target, limit in dict.fromkeys(file for record in answer.records for file in _files(record, cell)):
            left -= _move(outbox, (cell, *name), evidence / target, min(limit, left))
    except EvidenceError as error:
        return Probed(cell, failure=Failure(Fault.ERROR, "EvidenceError", str(error)[:500]))
    except OSError as error:
        raise GraderError(f"Evidence cannot be written to {evidence}: {error.strerror}.") from error
    finally:
        _delete(outbox / cell)
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


def _delete(path: Path) -> None:
    """Delete what a stranger made: a link, a file, a tree thousands of levels deep, folders without permissions.

    `shutil.rmtree` recurses; coreutils' `rm` walks. Neither it nor `chmod -R` follows a link it meets below.
    """
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, "--", str(path)], check=False, stderr=subprocess.DEVNULL)  # noqa: S603 - no shell


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


def _move(outbox: Path, parts: tuple[str, ...], target: Path, limit: int) -> int:
    """Copy one file and return its size; an array is read first, so that none is kept that the judge cannot read."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".npy":
        raw = read_beneath(outbox, *parts, limit=limit)
        parse_array(raw, "/".join(parts))
        return target.write_bytes(raw)
    with open_beneath(outbox, *parts, limit=limit) as source, target.open("wb") as copy:
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
