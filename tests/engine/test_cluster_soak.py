"""What can go wrong on a cluster, for real: machines that cannot grade, schedulers and workers that end, full disks, TLS."""

import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from autograder.engine.report import read_report
from autograder.engine.sandbox.processes import descendants
from tests.engine.cluster_machines import (
    GRADE,
    RIGHT,
    SLOW,
    WRONG,
    Machines,
    command,
    course_of,
    ended,
    machines,
    reports,
    scores,
    wait_for_kernel,
)
from tests.engine.cluster_machines import cluster as cluster  # noqa: PLC0414 - a fixture
from tests.engine.interrupted_runs import CHEAP, CHEAP_POINTS, STALE, kill, sandboxed, short, task, wait_for
from tests.engine.rows_course import ROOT
from tests.engine.sandboxed_kernel import gone, needs_bubblewrap
from tests.engine.small_disk import MOUNTED, UNSHARE

distributed = pytest.importorskip("distributed")
pytestmark = [needs_bubblewrap, pytest.mark.soak]


def _other_code(folder: Path) -> str:
    """Copy the code, change a grader, and return where the copy is imported from."""
    for package in ("autograder", "reference", "tests/lessons"):
        shutil.copytree(ROOT / package, folder / package)
    (folder / "tests" / "__init__.py").touch()
    grader = next((folder / "tests" / "lessons" / "rows" / "graders").glob("*.py"))
    grader.write_text(grader.read_text() + "\n")
    return str(folder)


def _without_bubblewrap(folder: Path) -> str:
    """Return a PATH on which there is no bubblewrap."""
    folder.mkdir()
    for name in ("prlimit", "setpriv", "taskset", "sh", "cat", "env"):
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


def test_a_machine_that_cannot_grade_gets_nothing(cluster: Machines, tmp_path: Path) -> None:
    """Other graders, no bubblewrap, no Splot: each is said in a sentence. Alone they grade nobody, and touch no report."""
    course = course_of({"jan": RIGHT, "ola": WRONG}, tmp_path / "course")
    cluster.start_worker("127.0.0.1", PYTHONPATH=_other_code(tmp_path / "other"))
    cluster.start_worker("127.0.0.2", PATH=_without_bubblewrap(tmp_path / "bin"))
    stale = course / "graded" / "jan" / "rows" / "report.json"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(STALE)
    code, said = ended(cluster.grade(course))
    assert code == 2
    assert "gets no submission: Its Splot is not the command's" in said
    assert "(bubblewrap): The program bwrap is not installed." in said
    assert "No worker of the cluster can grade." in said
    assert stale.read_bytes() == STALE
    cluster.start_worker("127.0.0.3")
    code, said = ended(cluster.grade(course))
    assert (code, said.count("gets no submission")) == (0, 2), said
    assert scores(course) == {"jan": 2.0, "ola": 0.0}


def test_a_machine_without_the_data_gets_nothing(cluster: Machines, tmp_path: Path) -> None:
    """Of this homework's own lesson: the data set is missing on one machine, and the other one grades."""
    cheap = task(CHEAP, tmp_path, "jan")
    cluster.start_worker("127.0.0.1", SPLOT_DATA="/dev/null")
    code, said = ended(cluster.grade(tmp_path))
    assert code == 2
    assert "FashionMNIST, and that data set is not on this machine" in said
    assert "No worker of the cluster can grade." in said
    cluster.start_worker("127.0.0.2")
    code, said = ended(cluster.grade(tmp_path))
    report = read_report(cheap.folder / "report.json")
    assert (code, report.score, report.dataset) == (0, CHEAP_POINTS, "FashionMNIST"), said


def _at_the_second(
    cluster: Machines, course: Path, worker: subprocess.Popen[bytes]
) -> tuple[subprocess.Popen[str], list[int]]:
    """Grade jan and then ola; return the command once ola's notebook runs, and its sandbox."""
    first = cluster.grade(course)
    wait_for((course / "graded" / "jan" / "rows" / "report.json").exists)
    wait_for_kernel(worker)
    return first, sandboxed(worker.pid)


def _grades_the_second(cluster: Machines, course: Path) -> None:
    """The same command again leaves jan's report and grades ola."""
    code, said = ended(cluster.grade(course))
    assert code == 0
    assert said.endswith("splot: 1 of 2 unchanged since an earlier run and not graded again; --force does.")
    assert scores(course) == {"jan": 2.0, "ola": 2.0}


def test_a_scheduler_that_ends_is_started_again(cluster: Machines, tmp_path: Path) -> None:
    """Exit 2 and a sentence, what is done is kept, no sandbox runs on; the same command grades the others."""
    course = course_of({"jan": RIGHT, "ola": SLOW}, tmp_path / "course")
    worker = cluster.start_worker()
    first, left = _at_the_second(cluster, course, worker)
    assert cluster.scheduler is not None
    kill(cluster.scheduler.pid)
    cluster.scheduler.wait()
    code, said = ended(first)
    assert code == 2
    assert f"splot: The scheduler of the cluster {cluster.address} is gone. What is done is kept" in said
    assert scores(course) == {"jan": 2.0}
    assert gone(left)
    cluster.start_scheduler()
    cluster.start_worker()
    _grades_the_second(cluster, course)


@pytest.mark.skipif(MOUNTED.returncode != 0, reason="nothing may be mounted here")
def test_a_machine_whose_disk_fills_up_gets_nothing_more(cluster: Machines, tmp_path: Path) -> None:
    """What it could not grade is graded elsewhere, and it is told in a sentence."""
    course = course_of({"jan": SLOW, "ola": RIGHT, "ula": WRONG}, tmp_path / "course")
    mounted = [*UNSHARE, "sh", "-c", 'mount -t tmpfs -o size=200m none /mnt && exec "$@"', "sh"]
    small = cluster.start_worker("127.0.0.1", mounted, TMPDIR="/mnt")
    cluster.start_worker("127.0.0.2")
    running = cluster.grade(course)
    wait_for_kernel(small)
    disk = Path(f"/proc/{small.pid}/root/mnt/full")
    with disk.open("wb", 0) as file, suppress(OSError):
        while file.write(bytes(2**16)):
            pass
    code, said = ended(running)
    assert code == 0, said
    assert "gets no submission: The disk that holds /mnt has less than 128 MiB free; make room." in said
    assert scores(course) == {"jan": 2.0, "ola": 2.0, "ula": 0.0}


def test_a_submission_that_three_workers_die_of_is_ungraded(cluster: Machines, tmp_path: Path) -> None:
    """Dask's nanny starts each dead worker again; after the third the student is ungraded, and the next one graded."""
    course = course_of({"jan": SLOW, "ola": RIGHT}, tmp_path / "course")
    nanny = cluster.start_worker(nanny="--nanny")
    running = cluster.grade(course)
    for _ in range(3):
        wait_for_kernel(nanny)
        worker = next(pid for pid in descendants(nanny.pid) if pid != nanny.pid and sandboxed(pid))
        left = sandboxed(worker)
        kill(worker)
        assert gone(left)
    code, said = ended(running)
    assert code == 2, said
    found = reports(course)
    assert (found["jan"].score, found["ola"].score) == (None, 2.0)
    assert "as 2 did before that had this submission; grade it again." in (found["jan"].reason or "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_on_this_machine_end_with_the_command(number: int, tmp_path: Path) -> None:
    """`--cluster local -j 2`: the whole group is struck by Ctrl-C, or the command killed; nothing runs on."""
    course = course_of({"jan": RIGHT, "ola": SLOW, "ula": SLOW}, tmp_path / "course")
    folder = short(tmp_path / "tmp")
    running = command(course, *GRADE, "--cluster", "local", "-j", "2", TMPDIR=str(folder))
    wait_for((course / "graded" / "jan" / "rows" / "report.json").exists)
    wait_for(lambda: sandboxed(running.pid))
    left = descendants(running.pid)
    kill(-running.pid if number == signal.SIGINT else running.pid, number)
    _, said = running.communicate(timeout=60)
    if number == signal.SIGINT:
        assert running.returncode == 130, said
        assert said.strip() == "splot: Stopped: 1 of 3 submissions are done; run the same again for the others."
    assert scores(course) == {"jan": 2.0}
    wait_for(lambda: gone(left), 60)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_of_a_cluster_outlive_the_command(number: int, cluster: Machines, tmp_path: Path) -> None:
    """Stopped by Ctrl-C or killed: the worker ends what it grades, and then grades for the next command."""
    course = course_of({"jan": RIGHT, "ola": SLOW}, tmp_path / "course")
    worker = cluster.start_worker()
    first, left = _at_the_second(cluster, course, worker)
    kill(first.pid, number)
    first.communicate(timeout=60)
    assert first.returncode == (130 if number == signal.SIGINT else -number)
    assert gone(left)
    assert not (course / "graded" / "ola" / "rows" / "report.json").exists()
    _grades_the_second(cluster, course)


def test_who_has_no_certificate_has_no_cluster(tmp_path: Path) -> None:
    """With TLS by Dask's own configuration the class is graded; without a certificate nobody gets in."""
    made = distributed.Security.temporary()
    paths = {}
    for name, content in (("ca", made.tls_ca_file), ("cert", made.tls_client_cert), ("key", made.tls_client_key)):
        paths[name] = tmp_path / f"{name}.pem"
        paths[name].write_text(content)
    options = ("--tls-ca-file", str(paths["ca"]), "--tls-cert", str(paths["cert"]), "--tls-key", str(paths["key"]))
    course = course_of({"jan": RIGHT}, tmp_path / "course")
    configured = {"DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(paths["ca"])}
    for part in ("CERT", "KEY"):
        configured[f"DASK_DISTRIBUTED__COMM__TLS__CLIENT__{part}"] = str(paths[part.lower()])
    with machines(tmp_path / "cluster", *options) as cluster:
        assert cluster.address.startswith("tls://")
        cluster.start_worker()
        code, said = ended(cluster.grade(course))
        assert code == 2
        assert "and that Dask's configuration names your certificates." in said
        code, said = ended(cluster.grade(course, **configured))
        assert (code, scores(course)) == (0, {"jan": 2.0}), said
