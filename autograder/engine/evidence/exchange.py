"""File exchange between grader and sandbox: writes requests, takes answers, and writes `evidence.json` at the end.

Each grader module lists its probes beside its checks. A probe names what is wanted (a function's results, a layer's
parameters, a model); the expected answer never goes with it. Random inputs come from a generator seeded by a secret of
the course and the submission's digest: nobody can foresee them, and a regrade repeats them. Answers are taken file by
file; `evidence.json` is written last and synced: if it exists, so does every file that it lists.
"""

import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec

from autograder.engine.errors import EvidenceError, GraderError
from autograder.engine.evidence.reader import MAX_JSON, UNREADABLE
from autograder.engine.evidence.records import EvidenceFile, Failure, Fault, Probed, Record, RecordFile
from autograder.engine.files import PRIVATE, delete, make_private, open_beneath, parse_array, read_beneath, write_whole
from autograder.engine.text import say

if TYPE_CHECKING:  # imported where they are used: `splot check` and `splot report` need not wait for them
    import nbformat
    import numpy as np

SECRET_BYTES = 32
MAX_ANSWER = 2_000_000  # of every test cell's; together they stay within what `evidence.json` may hold
MAX_RECORDS = 1_000
MAX_OTHER = 256_000_000  # of a submission, all but its heavy files
CHUNK = 1_000_000
DELETE_TIMEOUT_S = 2.0
"""How long to keep deleting an answer from the outbox; the notebook still runs and may write it again."""


@dataclass(frozen=True)
class Probe:
    """One request of the graders at a test cell; a lesson has subclasses, answered by the recorder of that `kind`."""

    kind: ClassVar[str]

    cell: str
    name: str

    def request(self, seed: str, folder: Path) -> dict[str, object]:  # noqa: ARG002
        """Write the request's input arrays to the folder and return the request as a JSON object."""
        return {"kind": self.kind, "name": self.name}


def generator(seed: str, probe: str) -> "np.random.Generator":
    """Return the random generator of one probe of one submission."""
    import numpy as np  # noqa: PLC0415 - see above

    return np.random.default_rng(list(hashlib.sha256(f"{seed}/{probe}".encode()).digest()))


def seed_for(digest: str) -> str:
    """Return the seed of a submission, from the course's secret and the submission's digest.

    The secret is `SPLOT_SECRET`, else a file of this machine's user, made once; raises `GraderError` where it cannot be.
    A worker of a cluster has no secret: the command gives it the submission's seed, as `SPLOT_SUBMISSION_SEED`.
    """
    given = os.environ.get("SPLOT_SUBMISSION_SEED", "")
    if given:
        return given
    secret = os.environ.get("SPLOT_SECRET", "").encode()
    if not secret:
        home = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        path = home / "splot" / "secret"
        try:
            if not path.exists():
                _make_secret(path)
            secret = path.read_bytes()
        except OSError as error:
            raise GraderError(
                f"The course's secret {path} cannot be kept: {error.strerror}; set SPLOT_SECRET instead."
            ) from error
        if len(secret) < SECRET_BYTES:
            raise GraderError(f"The course's secret {path} is damaged; delete it, and a new one is made.")
    return hmac.new(secret, digest.encode(), hashlib.sha256).hexdigest()


def _make_secret(path: Path) -> None:
    """Write the secret to a temporary file and link it into place: atomic, and the first process wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, aside = tempfile.mkstemp(dir=path.parent, prefix=".secret-")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        Path(aside).unlink()


def write_requests(probes: Sequence[Probe], seed: str, folder: Path) -> None:
    """Write the requests of one test cell, with their inputs, to the inbox, where the recorders read them."""
    folder.mkdir(parents=True, exist_ok=True)
    requests = [probe.request(seed, folder) for probe in probes]
    (folder / "request.json").write_text(json.dumps(requests))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def write_evidence(folder: Path, notebook: "nbformat.NotebookNode", file: EvidenceFile) -> None:
    """Write the executed notebook, then atomically `evidence.json`; raises `OSError` or `SplotError` on a full disk.

    Everything in the folder is synced first: if `evidence.json` exists, so does all that it lists, also after a crash
    of the machine.
    """
    for path in folder.rglob("*"):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    write_whole(folder / "notebook.ipynb", notebook_bytes(notebook), PRIVATE)
    write_whole(folder / "evidence.json", msgspec.json.encode(file), PRIVATE)


def notebook_bytes(notebook: "nbformat.NotebookNode", limit: int = MAX_JSON) -> bytes:
    """Return the executed notebook as JSON of at most `limit` bytes; the largest outputs are dropped first."""
    import nbformat  # noqa: PLC0415 - likewise

    content: bytes = nbformat.writes(notebook).encode("utf-8", "replace")
    loud = sorted((c for c in notebook.cells if c.get("outputs")), key=lambda c: len(json.dumps(c)))
    while len(content) > limit and loud:
        loud.pop().outputs = [nbformat.v4.new_output("stream", text="[…]")]
        content = nbformat.writes(notebook).encode("utf-8", "replace")
    return content


def delete_evidence(folder: Path) -> None:
    """Delete an earlier run's evidence, `evidence.json` first; raises `OSError` if a file cannot be deleted."""
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    (folder / "evidence.json").unlink(missing_ok=True)
    shutil.rmtree(folder)


class SandboxAnswer(msgspec.Struct, frozen=True):
    """The content of `answer.json`, which the probe writes."""

    records: Annotated[tuple[msgspec.Raw, ...], msgspec.Meta(max_length=MAX_RECORDS)]


@dataclass(frozen=True)
class Schema:
    """What may come out of the sandbox: the lesson's record types, and a size limit for its large files together.

    Files named `heavy` have a limit of their own, `heavy_bytes`; `too_heavy` makes the error for one that exceeds it.
    """

    records: Any
    heavy: str = ""
    heavy_bytes: int = 0
    too_heavy: Callable[[str], EvidenceError] = EvidenceError


def take(outbox: Path, cell: str, evidence: Path, schema: Schema) -> Probed:
    """Move the probe's answer at `cell` into the evidence folder; one invalid file rejects the whole answer.

    Raises `GraderError` if the evidence folder cannot be written; the content of the outbox never raises.
    """
    try:
        records = _records(read_beneath(outbox, cell, "answer.json", limit=MAX_ANSWER), schema)
        budget = _Budget(evidence, schema)
        for file in dict.fromkeys(file for record in records for file in record.files(cell)):
            make_private((evidence / file.target).parent, evidence)
            budget.take(outbox, cell, file)
    except EvidenceError as error:
        return Probed(cell, failure=Failure(Fault.ERROR, "EvidenceError", str(error)[:500]))
    except OSError as error:
        raise GraderError(f"Evidence cannot be written to {evidence}: {error.strerror}.") from error
    finally:
        delete(outbox / cell, DELETE_TIMEOUT_S)
    return Probed.from_records(cell, *records)


def _records(raw: bytes, schema: Schema) -> tuple[Record, ...]:
    """Read `answer.json`; records that cannot be written again within the same size limit are rejected."""
    try:
        answer = msgspec.json.decode(raw, type=SandboxAnswer)
        records = tuple(msgspec.json.decode(record, type=schema.records) for record in answer.records)
        size = sum(len(msgspec.json.encode(record)) for record in records)
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
    return records


class _Budget:
    """The bytes that one submission's evidence may still use, for its large files and for all others."""

    def __init__(self, evidence: Path, schema: Schema) -> None:
        self._evidence = evidence
        self._schema = schema
        self._left = {True: schema.heavy_bytes, False: MAX_OTHER}
        for path in (path for path in evidence.rglob("*") if path.is_file()):
            self._left[path.name == schema.heavy] -= path.stat().st_size

    def take(self, outbox: Path, cell: str, file: RecordFile) -> None:
        """Copy one file within its own limit and the budget; raises `EvidenceError` where it does not fit."""
        parts, target = (cell, *file.source), self._evidence / file.target
        where, heavy = "/".join(parts), target.name == self._schema.heavy
        if target.exists():  # of the same model, recorded at an earlier test cell
            self._left[heavy] += target.stat().st_size
        with open_beneath(outbox, *parts, limit=file.limit) as source:
            if os.fstat(source.fileno()).st_size > self._left[heavy]:
                if heavy:
                    raise self._schema.too_heavy(where)
                raise EvidenceError(
                    say(
                        pl=f"{where}: dane z całego notebooka mogą zajmować najwyżej {MAX_OTHER} B, "
                        "a z tym plikiem zajmują więcej.",
                        en=f"{where}: what is taken of the whole notebook may have {MAX_OTHER} bytes; "
                        "with this file it has more.",
                    )
                )
            limit = min(file.limit, self._left[heavy])
            chunks = iter(lambda: source.read(CHUNK), b"")
            if target.suffix == ".npy":  # no array is kept that the judge cannot read
                raw = source.read(limit + 1)
                parse_array(raw, where)
                chunks = iter([raw])
            self._left[heavy] -= _copy(chunks, target, limit, where)


def _copy(chunks: Iterator[bytes], target: Path, limit: int, where: str) -> int:
    """Write a file that nobody else may read, and return its size; raises `EvidenceError` past the limit."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "wb") as copy:
        for chunk in chunks:
            copy.write(chunk)
            if copy.tell() > limit:
                raise EvidenceError(
                    say(
                        pl=f"{where} podczas przenoszenia urósł powyżej {limit} B.",
                        en=f"{where} grew past {limit} bytes while it was taken.",
                    )
                )
        return copy.tell()
