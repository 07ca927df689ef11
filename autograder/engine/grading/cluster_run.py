"""Grades a class on the workers that a Dask client is connected to.

A worker gets its first submission once it has proved itself (`cluster_worker.py`), and one at a time: Dask is told which worker
each task is for. So whose death costs which submission is known, and a worker that joins late is given work. A submission
goes elsewhere where its worker died, or its machine could not grade it.
"""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
from distributed import Client, Future, wait

from autograder.engine.errors import GraderError, SplotError, SubmissionError
from autograder.engine.evidence import delete_evidence, is_evidence_of, pack_evidence, seed_for, unpack_evidence
from autograder.engine.files import write_report, write_whole
from autograder.engine.grading.cluster_worker import PackedResults, Sent, course_of, grade_sent, prove
from autograder.engine.grading.folders import lock_student_folder, withdraw_report
from autograder.engine.grading.keys import report_key, requests_digest, unchanged_report
from autograder.engine.grading.pool import each
from autograder.engine.grading.task import Finished, GradingTask, Work, reason_of
from autograder.engine.judging import gather_probes
from autograder.engine.lesson import find_lesson
from autograder.engine.notebook import read_submission, submitted_bytes
from autograder.engine.report import FEEDBACK_FILE, Outcome, Report, encode
from autograder.engine.text import in_language, printable

ELSEWHERE = 2
"""How many more workers get a submission after the first."""
POLL_S = 0.2
LOOK_S = 1.0
"""Time between two looks at which workers have joined or left."""
FETCH_S = 60.0
"""Time for a result to arrive; the worker may have died with it meanwhile."""
NOT_YET = "It has not proved itself yet."


@dataclass(eq=False)
class _Pending:
    """A submission without a report."""

    task: GradingTask
    folder: ExitStack = field(default_factory=ExitStack)
    """Holds the lock on the student's folder from when the submission is first sent until its report is written."""
    attempts: int = 0
    hosts: set[str] = field(default_factory=set)
    """The machines that could not grade it."""
    ungraded: PackedResults | None = None
    """What the last of them returned; it stands where no other machine is left."""


@dataclass(frozen=True)
class _ClusterWorker:
    """A worker: the address by which its scheduler knows it, and its machine."""

    address: str
    host: str


class ClusterRun:
    """A class on its way: who waits, who is graded where, which workers can grade."""

    def __init__(
        self,
        client: Client,
        tasks: list[GradingTask],
        expected: int,
        stopped: Callable[[], bool],
        notice: Callable[[str], None],
    ) -> None:
        self._client = client
        self._expected = expected
        """How many workers must have joined before it can be said that none of them can grade."""
        self._stopped = stopped
        self._notice = notice
        self._waiting = deque(map(_Pending, tasks))
        self._assignment, self._how = tasks[0].assignment, replace(tasks[0].how, out=Path())
        self._course = course_of(self._assignment)
        self._workers: dict[_ClusterWorker, str] = {}
        """With the reason why a worker gets no submission; empty if it may get one."""
        self._proofs: dict[Future[Any], _ClusterWorker] = {}
        self._sent: dict[Future[Any], tuple[_Pending, _ClusterWorker]] = {}
        self._next_look = 0.0

    def reports(self) -> Iterator[Finished]:
        """Yield the reports until all are there or `stopped` says so; raises `OSError` if the scheduler is gone."""
        while (self._waiting or self._sent) and not self._stopped():
            if time.monotonic() >= self._next_look:
                yield from self._look()
                self._next_look = time.monotonic() + LOOK_S
            yield from self._hand_out()
            yield from self._collect()

    def close(self) -> None:
        """Have the workers end what they still grade, and leave the students' folders to others."""
        for pending in [*self._waiting, *(pending for pending, _ in self._sent.values())]:
            pending.folder.close()
        with suppress(Exception):  # the scheduler may be gone
            self._client.cancel([*self._sent, *self._proofs])

    def _look(self) -> Iterator[Finished]:
        """See which workers have joined, and which have left."""
        found = self._client.scheduler_info(n_workers=-1).get("workers")
        if self._client.status != "running" or found is None:
            raise ConnectionError
        here = {_ClusterWorker(address, about["host"]) for address, about in found.items()}
        if not here and (self._workers or not self._next_look):
            self._notice("The cluster has no worker; waiting for one.")
        for worker in self._workers.keys() - here:
            yield from self._lose(worker)
        for worker in here - self._workers.keys():
            self._ask_for_proof(worker)

    def _lose(self, worker: _ClusterWorker) -> Iterator[Finished]:
        """A worker is gone: another one gets its submission."""
        del self._workers[worker]
        for proof in [proof for proof, proving in self._proofs.items() if proving == worker]:
            del self._proofs[proof]
            proof.cancel()
        for future in [future for future, (_, at) in self._sent.items() if at == worker and not future.done()]:
            pending, _ = self._sent.pop(future)
            future.cancel()
            yield from self._again(pending, f"The worker {worker.address} died")

    def _ask_for_proof(self, worker: _ClusterWorker) -> None:
        self._workers[worker] = NOT_YET
        self._proofs[self._submit(worker, prove, self._course, self._assignment, self._how)] = worker

    def _submit(self, worker: _ClusterWorker, function: Callable[..., object], *arguments: object) -> Future[Any]:
        return self._client.submit(
            function, *arguments, workers=[worker.address], allow_other_workers=False, pure=False
        )

    def _hand_out(self) -> Iterator[Finished]:
        """Send each free worker a submission; raises `GraderError` if no worker of the cluster can grade."""
        busy = {worker for _, worker in self._sent.values()}
        for worker in [worker for worker, lack in self._workers.items() if not lack and worker not in busy]:
            free = True
            while free and (pending := next((p for p in self._waiting if worker.host not in p.hosts), None)):
                self._waiting.remove(pending)
                done = self._send(pending, worker)
                free = done is not None
                if done is not None:
                    yield done
        hosts = {worker.host for worker, lack in self._workers.items() if lack in {"", NOT_YET}}
        for pending in list(self._waiting):
            if pending.ungraded is not None and hosts <= pending.hosts:
                self._waiting.remove(pending)
                yield self._publish(pending, pending.ungraded)
        if self._waiting and len(self._workers) >= self._expected and not hosts and not self._sent:
            worker, lack = next(iter(self._workers.items()))
            raise GraderError(f"No worker of the cluster can grade. {worker.address} cannot: {lack}")

    def _send(self, pending: _Pending, worker: _ClusterWorker) -> Finished | None:
        """Send a submission to a worker; return it finished where it is unchanged or unreadable, or its folder cannot be used."""
        task = pending.task
        try:
            with in_language(task.how.lang):
                content = submitted_bytes(task.notebook, task.assignment.name)
            digest = hashlib.sha256(content).hexdigest()
            if not pending.attempts:
                pending.folder.enter_context(lock_student_folder(task.folder, group=task.how.group))
                kept = _withdraw(task, digest)
                if kept is not None:
                    pending.folder.close()
                    return Finished(kept, Work.UNCHANGED)
            evidence = pack_evidence(task.folder)
        except SubmissionError:  # there is nothing to send: the report and the page say so
            pending.folder.close()
            return next(each([task]))
        except (SplotError, OSError) as error:
            pending.folder.close()
            return Finished(task.ungraded(reason_of(error)))
        parts = Path(os.path.abspath(task.notebook)).parts  # noqa: PTH100 - as in `student_of`
        laid_out = parts[-2].casefold() == task.assignment.name.casefold()
        sent = Sent(
            content=content,
            path=str(task.notebook),
            parts=parts[-3:] if laid_out else parts[-1:],
            seed=seed_for(digest),
            course=self._course,
            assignment=task.assignment,
            how=self._how,
            evidence=evidence,
        )
        pending.attempts += 1
        self._sent[self._submit(worker, grade_sent, sent)] = pending, worker
        return None

    def _collect(self) -> Iterator[Finished]:
        """Take what is ready, or wait a little."""
        if not self._sent and not self._proofs:
            time.sleep(POLL_S)
            return
        with suppress(TimeoutError):
            wait([*self._sent, *self._proofs], timeout=POLL_S, return_when="FIRST_COMPLETED")
        for proof in [proof for proof in self._proofs if proof.done()]:
            worker = self._proofs.pop(proof)
            lack = self._workers[worker] = _failure(proof)
            if lack:
                self._notice(f"The worker {worker.address} gets no submission: {lack}")
        for future in [future for future in self._sent if future.done()]:
            yield from self._take(future, *self._sent.pop(future))

    def _take(self, future: Future[Any], pending: _Pending, worker: _ClusterWorker) -> Iterator[Finished]:
        """Publish a result. Of one that says `ungraded` the machine may be the cause, so another one is tried."""
        failure = _failure(future)
        results = None if failure else _fetched(future)
        if results is None:
            self._ask_for_proof(worker)
            yield from self._again(pending, f"The worker {worker.address} failed ({failure or 'no result'})")
        elif _finished(results).report.status is Outcome.UNGRADED and pending.attempts <= ELSEWHERE:
            self._ask_for_proof(worker)
            pending.hosts.add(worker.host)
            pending.ungraded = results
            self._waiting.appendleft(pending)
        else:
            yield self._publish(pending, results)

    def _again(self, pending: _Pending, why: str) -> Iterator[Finished]:
        """Let another worker grade a submission, or give it up."""
        if pending.attempts <= ELSEWHERE:
            self._waiting.appendleft(pending)
            return
        reason = f"{why}, as {ELSEWHERE} did before that had this submission; grade it again."
        yield self._publish(pending, PackedResults(encode(Finished(pending.task.ungraded(reason))), None, {}))

    def _publish(self, pending: _Pending, results: PackedResults) -> Finished:
        """Write what a worker returned to the student's folder, and return the finished task."""
        done, folder = _finished(results), pending.task.folder
        try:
            with pending.folder:
                unpack_evidence(results.evidence, folder)
                write_report(done.report, folder)
                if results.page is not None:
                    with suppress(SplotError):  # a page does not affect the grade
                        write_whole(folder / FEEDBACK_FILE, results.page)
        except (SplotError, OSError) as error:
            return Finished(pending.task.ungraded(reason_of(error)))
        return done


def _withdraw(task: GradingTask, digest: str) -> Report | None:
    """Return an earlier run's report that is unchanged; else delete it, and evidence that is not of this submission.

    Evidence of it stays, though it may have to be made anew, until a worker returns some: so nothing is lost with a worker.
    """
    kept = None if task.how.force else _unchanged(task)
    if kept is None:
        withdraw_report(task.folder)
        if task.how.force or not is_evidence_of(task.folder / "evidence", digest):
            delete_evidence(task.folder / "evidence")
    return kept


def _unchanged(task: GradingTask) -> Report | None:
    """Return the report of an earlier run of the same submission; only where there is one is its key computed."""
    if not (task.folder / "report.json").exists():
        return None
    submission, probes = (
        read_submission(task.notebook, task.assignment),
        gather_probes(find_lesson(task.assignment.lesson)),
    )
    return unchanged_report(task, report_key(submission, task.assignment, task.how, requests_digest(probes)))


def _finished(results: PackedResults) -> Finished:
    return msgspec.json.decode(results.finished, type=Finished)


def _failure(future: Future[Any]) -> str:
    """Return in a sentence why a task that has ended gave no result; empty if it gave one."""
    if future.status == "finished":
        return ""
    try:
        error = future.exception(timeout=FETCH_S)
    except TimeoutError:
        return "It died."
    if isinstance(error, ImportError | AttributeError):
        return f"It has no Splot, or another version of it ({printable(str(error), 200)})."
    if isinstance(error, SplotError):
        return str(error)
    return printable(f"{type(error).__name__}: {' '.join(str(error).split())}", 300)


def _fetched(future: Future[Any]) -> PackedResults | None:
    """Return the result of a task that has ended; None where it has none, or does not arrive."""
    try:
        results: PackedResults | None = future.result(timeout=FETCH_S)
    except TimeoutError:
        return None
    return results
