"""Grades submissions, or judges their evidence again, in parallel, each in its own worker process.

The processes come from multiprocessing's fork server, which imports everything once (`preload.py`) and forks a worker for
each submission: a worker that dies affects only its student. The command itself imports no torch. For one submission alone
the server imports none either, since the sandbox need not wait for it (`early_judge.py`).
"""

import fcntl
import itertools
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import current_process, forkserver, get_context, parent_process, resource_tracker, spawn
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Self

import msgspec

from autograder.engine.errors import GraderError, SplotError
from autograder.engine.files import delete
from autograder.engine.grading.folders import publish_ungraded, run_folder
from autograder.engine.grading.task import (
    FROM_TERMINAL,
    Finished,
    Grading,
    GradingTask,
    reason_of,
    tasks_of,
    to_grade,
    to_judge,
)
from autograder.engine.notebook import Assignment
from autograder.engine.report import Report
from autograder.engine.sandbox import free_memory
from autograder.engine.text import Lang

POLL_S = 0.2
END_S = 10.0
ANSWER, BEGUN = "answer.json", "begun"
"""Files in a worker's folder: the finished task; that the notebook's turn has come."""
SERVER_ENDED = 255
"""Stands for the exit status of a process whose fork server was ended (multiprocessing/popen_forkserver.py)."""
ENDED = "The grader's own processes were ended; grade this submission again."
LOST_STATUS = os.EX_IOERR
LOST = "The report got lost on the way, perhaps on a full disk; make room, then grade this submission again."


@dataclass(frozen=True, eq=False)
class _Worker:
    """A worker process, its task, and its private folder."""

    task: GradingTask
    process: ForkServerProcess
    folder: Path


class Pool:
    """Runs tasks in worker processes; leaving the `with` block kills those that still run.

    With `in_turn` one notebook runs at a time, and another worker prepares the next one's sandbox meanwhile.
    Once `stopped` says so nobody is set aside any more: a report that was there before the run stays.
    """

    def __init__(self, stopped: Callable[[], bool], *, alone: bool = False, in_turn: bool = False) -> None:
        self._stopped = stopped
        self._alone = alone
        self._in_turn = in_turn
        self._workers: list[_Worker] = []
        self._failed: list[Finished] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> list[Finished]:
        """Kill the workers that still run; return those tasks that they have finished by then."""
        done = []
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.process.close()
            with suppress(OSError, msgspec.DecodeError):
                done.append(_answer(worker))
            delete(worker.folder)
        self._workers.clear()
        return done

    def has_room(self, jobs: int) -> bool:
        """Whether another task may start: fewer than `jobs` run, or in turn, and nothing speaks against one more."""
        return len(self) < jobs + (self._in_turn and all(_leaves_room(worker) for worker in self._workers))

    def __len__(self) -> int:
        """Return how many tasks have not been returned by `result` yet."""
        return len(self._workers) + len(self._failed)

    def submit(self, task: GradingTask) -> None:
        """Start a task; raises `GraderError` if the fork server cannot start."""
        run = _run_folder()
        try:
            folder = run / str(next(_numbers))
            folder.mkdir()
            process = get_context("forkserver").Process(
                target=_work, args=(task, folder, run / "turn" if self._in_turn else None)
            )
            _start(process, run, task.assignment.lesson, self._stopped, alone=self._alone)
        except (EOFError, OSError) as error:
            if self._stopped():
                return
            errors = run / "errors"
            complaint = errors.read_text("utf-8", "replace").strip().split("\n")[-1] if errors.exists() else ""
            if complaint:
                raise GraderError(f"The grader did not start: {complaint[:300]}.") from error
            machine = isinstance(error, OSError) and not isinstance(error, ConnectionError)
            self._failed.append(Finished(publish_ungraded(task, reason_of(error) if machine else ENDED)))
        else:
            self._workers.append(_Worker(task, process, folder))

    def result(self, timeout_s: float) -> Finished | None:
        """Return a task that has ended; None where none has in this time, or it was ended by who stopped."""
        if self._failed:
            return self._failed.pop()
        ready = wait([worker.process.sentinel for worker in self._workers], timeout_s)
        worker = next((worker for worker in self._workers if worker.process.sentinel in ready), None)
        if worker is None:
            return None
        self._workers.remove(worker)
        worker.process.join()
        done: Finished | None = None
        try:
            done = _answer(worker)
        except (OSError, msgspec.DecodeError):
            if not self._stopped():
                done = Finished(publish_ungraded(worker.task, _why(worker.process)))
        worker.process.close()
        delete(worker.folder)
        return done


def _answer(worker: _Worker) -> Finished:
    return msgspec.json.decode((worker.folder / ANSWER).read_bytes(), type=Finished)


def _leaves_room(worker: _Worker) -> bool:
    """Whether a worker's turn has come, and there is memory for a notebook beside its own, which may use all of its limit."""
    return (worker.folder / BEGUN).exists() and free_memory() >= worker.task.how.limits.memory_mb * 2**20


_numbers = itertools.count()


def _why(process: ForkServerProcess) -> str:
    """Return how a worker ended without a report; waits until its lock on the student's folder is released."""
    status = process.exitcode or 0
    if status == SERVER_ENDED:  # the worker is ended as well, a little later
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid or 0)
            wait([descriptor], END_S)
            os.close(descriptor)
        return ENDED
    if status == LOST_STATUS:
        return LOST
    died = f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
    return f"The grader's own process {died}; grade this submission again."


def _run_folder() -> Path:
    """Return the folder of what is temporary in this process, a new one where it is gone; raises `GraderError`."""
    try:
        run = _made_run_folder()
        if not run.exists():
            _end_fork_server()  # nobody can connect to its socket any more
            _made_run_folder.cache_clear()
            run = _made_run_folder()
    except OSError as error:
        raise GraderError(f"The grader did not start: {error}.") from error
    return run


@cache
def _made_run_folder() -> Path:
    """Make a folder that is deleted when this process ends."""
    stack = ExitStack()
    Finalize(None, stack.close, exitpriority=-200)
    return stack.enter_context(run_folder())


def _start(process: ForkServerProcess, run: Path, lesson: str, stopped: Callable[[], bool], *, alone: bool) -> None:
    """Start a process, in a thread: the fork server may have to import everything first, and is ended where that is in vain.

    Raises `EOFError` or `OSError` where the fork server ended or cannot be started.
    """
    with futures.ThreadPoolExecutor(1) as thread:
        try:
            starting = thread.submit(_launch, process, run, lesson, alone=alone)
        except RuntimeError as error:  # the machine has no thread left
            raise EOFError from error
        try:
            while not starting.done() and not stopped():
                futures.wait([starting], POLL_S)
        finally:
            while not starting.done():
                _end_fork_server()
                futures.wait([starting], POLL_S)
        starting.result()


def _launch(process: ForkServerProcess, run: Path, lesson: str, *, alone: bool) -> None:
    """Start a process, and first the fork server where none runs yet; to be called in a thread of its own.

    What a lesson needs that is not the first one's, each worker imports.
    """
    settings = {
        "SPLOT_RUN": str(run),
        "SPLOT_LESSON": lesson,
        "SPLOT_ALONE": "1" if alone else "",
        "SPLOT_SCRIPT": spawn.get_preparation_data("").get("init_main_from_path", ""),
        "TORCHINDUCTOR_CACHE_DIR": str(run / "torch"),  # made as torch's tracing is imported
        "PYTHONSAFEPATH": "1",  # a `torch.py` that lies beside a submission is not to be imported
        # Threads that wait by spinning make each other wait where there are more than cores.
        "OMP_WAIT_POLICY": "PASSIVE",
        # Workers keep freed memory, mallopt(3): of a network's maps, freed and taken again at each layer, every page would
        # cost a fault.
        "MALLOC_MMAP_THRESHOLD_": str(32 * 2**20),
        "MALLOC_TRIM_THRESHOLD_": str(256 * 2**20),
    }
    before, config = {name: os.environ.get(name) for name in settings}, vars(current_process())["_config"]
    temporary = config.get("tempdir")
    os.environ.update(settings)
    config["tempdir"] = str(run)  # the server's socket lies there, and goes with the folder where the command is killed
    try:
        (run / "errors").unlink(missing_ok=True)
        resource_tracker.ensure_running()  # as it starts, it unblocks signals
        signal.pthread_sigmask(signal.SIG_BLOCK, FROM_TERMINAL)  # the server inherits this thread's mask
        forkserver.set_forkserver_preload(["autograder.engine.grading.preload"])
        process.start()
    finally:
        config["tempdir"] = temporary
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})


def _end_fork_server() -> None:
    """End the fork server, if there is one, and with it its workers; the next process that starts has a new one."""
    pid = vars(forkserver)["_forkserver"]._forkserver_pid  # noqa: SLF001 - multiprocessing tells it in no other way
    with suppress(ProcessLookupError, ChildProcessError):
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def _work(task: GradingTask, folder: Path, lock: Path | None) -> None:
    """Carry out a task, as a worker, and leave the answer in the private folder `folder`; a notebook's turn has this `lock`."""
    alone = _become_worker()
    from autograder.engine.collecting import Turn  # noqa: PLC0415 - as below
    from autograder.engine.grading.stages import work  # noqa: PLC0415 - what the command need not import

    try:
        work(task, folder / ANSWER, None if lock is None else Turn(lock, folder / BEGUN), alone=alone)
    except SplotError:
        sys.exit(LOST_STATUS)


def _become_worker() -> bool:
    """Look for modules where the fork server does, not where the command does; end with either.

    Returns whether that server left out what judging needs.
    """
    from autograder.engine.grading import preload  # noqa: PLC0415 - the fork server has imported it

    sys.path[:] = preload.SEARCH_PATH

    from autograder.engine.grading.judge_process import end_with_parent  # noqa: PLC0415 - as in `_work`

    end_with_parent(preload.SERVER)
    _end_with_command()
    return preload.ALONE


def _end_with_command() -> None:
    """Have the kernel end this process when the command ends: its parent, the fork server, waits for all its workers.

    The command holds the other end of a pipe; `O_ASYNC` sends a signal when that is closed (fcntl(2)).
    """
    command = parent_process()
    assert command is not None
    fcntl.fcntl(command.sentinel, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(command.sentinel, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(command.sentinel, fcntl.F_SETFL, os.O_RDONLY | os.O_ASYNC)
    if wait([command.sentinel], 0):  # it ended before this call
        os._exit(1)


def each(
    tasks: Iterable[GradingTask],
    jobs: int = 1,
    stopped: Callable[[], bool] = lambda: False,
    *,
    alone: bool = False,
    in_turn: bool = False,
) -> Iterator[Finished]:
    """Yield each task's report as it is finished, `jobs` at a time; end early when `stopped()` is true.

    With `alone`, for one task after which no other comes, judging is prepared while the notebook runs, not before. With
    `in_turn` one more is at work than notebooks run: it prepares a sandbox and waits, or judges.
    Stopping early, by closing the generator too, kills the running workers; a report that one of them has written by then
    is yielded. Raises `GraderError` if no worker can be started.
    """
    waiting = deque(tasks)
    with Pool(stopped, alone=alone, in_turn=in_turn) as pool:
        while (waiting or pool) and not stopped():
            while waiting and pool.has_room(jobs) and not stopped():
                pool.submit(waiting.popleft())
            done = pool.result(POLL_S)
            if done is not None:
                yield done
        yield from pool.stop()


def grade(path: Path, assignment: Assignment, how: Grading) -> Report:
    """Grade the notebook at `path` and write its report below `how.out`; never raises for what is in the notebook."""
    (done,) = each([to_grade(path, assignment, how)])
    return done.report


def regrade(folder: Path, assignment: Assignment, lang: Lang) -> Report:
    """Judge the evidence below one student's folder again, and write the report anew; no student code runs."""
    (done,) = each([to_judge(folder, assignment, Grading(out=folder.parent.parent, lang=lang))])
    return done.report


def grade_all(
    paths: list[Path],
    assignment: Assignment,
    how: Grading,
    jobs: int = 1,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Finished]:
    """Yield each submission's report as it is done; at one job the next sandbox starts while a notebook runs.

    Raises `SplotError` where two would be written to one folder, or one into a submission.
    """
    how = _shared(how, min(jobs, len(paths)))
    alone = len(paths) == 1
    return each(tasks_of(paths, assignment, how), jobs, stopped, alone=alone, in_turn=jobs == 1 and not alone)


def judge_all(
    folders: list[Path],
    assignment: Assignment,
    how: Grading,
    jobs: int = 1,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Finished]:
    """Yield the report of each student's evidence, judged again, as it is done; no student code runs."""
    how = _shared(how, min(jobs, len(folders)))
    return each([to_judge(folder, assignment, how) for folder in folders], jobs, stopped)


def _shared(how: Grading, jobs: int) -> Grading:
    """Return the settings of each of `jobs` submissions that are graded at a time: it has its share of the cores."""
    if jobs <= 1:
        return how
    return replace(how, limits=replace(how.limits, cores=max(1, (os.cpu_count() or 1) // jobs), shared=True))
