"""Connects to a Dask cluster, or starts one, and grades a class on its machines.

Reports, pages and evidence are written on the command's machine, as a run on it alone writes them. Dask is an extra and is
imported only here and in the two modules that need it: `cluster_run.py` on this side, `cluster_worker.py` on the workers'.
"""

import logging
import os
import re
import signal
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, closing, contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

from autograder.engine.errors import GraderError, SplotError
from autograder.engine.grading.task import FROM_TERMINAL, Finished, Grading, GradingTask, tasks_of
from autograder.engine.notebook import Assignment
from autograder.engine.text import printable

ADDRESS = re.compile(r"(tcp|tls)://.+:\d+")
EXTRA = "Grading on a cluster needs Dask: pip install distributed dask-jobqueue, here and for every worker."
CONNECT_S = 10.0
CLOSE_S = 5.0
LARGEST = "2 GiB"
"""More than a submission with its evidence has (`evidence/packed.py`); of more than 10 MB Dask would warn."""


def grade_on_cluster(
    paths: list[Path],
    assignment: Assignment,
    how: Grading,
    cluster: str,
    jobs: int = 1,
    stopped: Callable[[], bool] = lambda: False,
    notice: Callable[[str], None] = lambda _sentence: None,
) -> Iterator[Finished]:
    """Yield each submission's report as it is done, like `grade_all`.

    `cluster` is a scheduler's address, or "local" or "slurm", where `jobs` workers are started for this run; `notice` gets
    a sentence on a worker that gets no submission. Raises `SplotError` as `grade_all` does, `GraderError` where there is no
    such cluster, none of its workers can grade, or its scheduler ends.
    """
    tasks = tasks_of(paths, assignment, how)
    if cluster not in STARTED and not ADDRESS.fullmatch(cluster):
        raise SplotError(f"{printable(cluster)} is no cluster; give local, slurm, or an address, tls://HOST:PORT.")
    return _reports(tasks, cluster, jobs, stopped, notice)


def _reports(
    tasks: list[GradingTask], cluster: str, jobs: int, stopped: Callable[[], bool], notice: Callable[[str], None]
) -> Iterator[Finished]:
    jobs = min(jobs, len(tasks))
    with _connected(cluster, jobs) as client:
        from autograder.engine.grading.cluster_run import ClusterRun  # noqa: PLC0415 - it imports Dask

        with closing(ClusterRun(client, tasks, jobs if cluster in STARTED else 1, stopped, notice)) as run:
            try:
                yield from run.reports()
            except (OSError, CancelledError) as error:
                raise GraderError(
                    f"The scheduler of the cluster {printable(cluster)} is gone. What is done is kept: "
                    "start it again, and run the same again for the others."
                ) from error


@contextmanager
def _connected(cluster: str, jobs: int) -> Iterator[Any]:
    """Connect a Dask client, to a scheduler started for it where none is given, and end both; raises `GraderError`."""
    try:
        import dask  # noqa: PLC0415
        from distributed import Client  # noqa: PLC0415
    except ImportError as error:
        raise GraderError(EXTRA) from error
    with _without_logs(), ExitStack() as stack:
        stack.enter_context(dask.config.set({"distributed.admin.large-graph-warning-threshold": LARGEST}))
        try:
            scheduler = stack.enter_context(STARTED[cluster](jobs)) if cluster in STARTED else cluster
            client = Client(scheduler, timeout=CONNECT_S)
        except ImportError as error:
            raise GraderError(EXTRA) from error
        except Exception as error:  # whatever Dask raises on what it can neither start nor reach
            raise GraderError(_unreachable(cluster, error)) from error
        try:
            yield client
        finally:
            with suppress(Exception):
                client.close(timeout=CLOSE_S)


@contextmanager
def _without_logs() -> Iterator[None]:
    """Silence Dask's log in the block: it tells of each lost connection, and the command says what matters in a sentence."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _unreachable(cluster: str, error: Exception) -> str:
    why = printable(" ".join(str(error).split()) or type(error).__name__, 300).rstrip(".")
    if cluster in STARTED:
        return f"Dask could not start the cluster {cluster!r}: {why}."
    certificates = " and that Dask's configuration names your certificates" if cluster.startswith("tls") else ""
    return f"No Dask scheduler can be reached at {printable(cluster)} ({why}); see that it runs{certificates}."


def _local(jobs: int) -> Any:
    """Start a scheduler and workers on this machine; with TLS, for every user of it can connect to a port."""
    from distributed import LocalCluster  # noqa: PLC0415

    resource_tracker.ensure_running()  # as it starts, it unblocks signals
    # Ctrl-C is for the command alone: the thread from which Dask starts workers inherits this mask, and they from it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FROM_TERMINAL)
    try:
        return LocalCluster(
            n_workers=jobs,
            threads_per_worker=max(1, (os.cpu_count() or 1) // jobs),
            processes=True,
            security=True,
            memory_limit=0,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _slurm(jobs: int) -> Any:
    """Start a scheduler here and submit its workers to Slurm, as Dask's configuration says (`jobqueue.slurm`).

    With TLS always: by the certificates in that configuration, or by new ones for this run.
    """
    import dask  # noqa: PLC0415
    from dask_jobqueue.slurm import SLURMCluster  # noqa: PLC0415
    from distributed import Security  # noqa: PLC0415

    own = dask.config.get("distributed.comm.tls.ca-file", None)
    with warnings.catch_warnings():  # that new certificates are passed on in the working directory: docs/cluster.md
        warnings.simplefilter("ignore", UserWarning)
        cluster = SLURMCluster(security=Security(require_encryption=True) if own else True)
    cluster.scale(jobs)
    return cluster


STARTED: dict[str, Callable[[int], Any]] = {"local": _local, "slurm": _slurm}
