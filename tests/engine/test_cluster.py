"""A class on a cluster: real schedulers and workers, each in a process and folders of its own."""

import hmac
import stat
import sys
from pathlib import Path

import pytest

from autograder.engine.errors import EvidenceError, SplotError
from autograder.engine.evidence import Evidence, pack_evidence, unpack_evidence
from autograder.engine.grading import Grading, grade_on_cluster
from autograder.engine.grading.cluster import EXTRA
from autograder.engine.notebook import load_assignment
from tests.engine.cluster_machines import (
    GRADE,
    RIGHT,
    SLOW,
    WRONG,
    Machines,
    command,
    course_of,
    ended,
    reports,
    scores,
    submit,
    wait_for_kernel,
    without_times,
)
from tests.engine.cluster_machines import cluster as cluster  # noqa: PLC0414 - a fixture
from tests.engine.interrupted_runs import kill
from tests.engine.reports import judged_by_others
from tests.engine.rows_course import LESSON
from tests.engine.sandboxed_kernel import needs_bubblewrap


@needs_bubblewrap
def test_a_class_is_graded_elsewhere_where_a_worker_dies(cluster: Machines, tmp_path: Path) -> None:
    """Of two workers the one that grades is killed: every student has the points of the work, as on one machine.

    Evidence is private and can be judged again, with the same result. No worker has the course's secret.
    """
    course = course_of({"jan": SLOW, "ola": WRONG, "ula": RIGHT}, tmp_path / "course")
    (course / "submitted" / "zoe" / "rows").mkdir(parents=True)
    (course / "submitted" / "zoe" / "rows" / "rows.ipynb").write_text("no notebook")
    workers = [cluster.start_worker(host) for host in ("127.0.0.1", "127.0.0.2")]
    running = cluster.grade(course)
    struck = wait_for_kernel(*workers)
    kill(struck.pid)
    said, complaints = running.communicate(timeout=300)
    assert running.returncode == 2, complaints  # for zoe
    found = reports(course)
    assert scores(course) == {"jan": 2.0, "ola": 0.0, "ula": 2.0, "zoe": None}
    assert "submitted/zoe/rows/rows.ipynb" in (found["zoe"].reason or "")
    assert all((course / "graded" / student / "rows" / "feedback.html").exists() for student in found)
    evidence = course / "graded" / "jan" / "rows" / "evidence"
    modes = {stat.S_IMODE(path.stat().st_mode) for path in evidence.rglob("*") if path.is_file()}
    assert (modes, stat.S_IMODE(evidence.stat().st_mode)) == ({0o600}, 0o700)
    assert list(cluster.root.rglob("secret")) == []
    collected = Evidence(evidence).file
    assert collected.seed == hmac.new(b"the course's", collected.digest.encode(), "sha256").hexdigest()
    ended(command(course, "judge", "graded", "--lang", "en"))
    judged = reports(course)
    for student in ("jan", "ola", "ula"):
        assert without_times(judged[student]) == without_times(found[student])
    assert "jan" in said
    assert "3 of 4 unchanged since an earlier run" in ended(cluster.grade(course))[1]
    assert reports(course) == judged


@needs_bubblewrap
def test_stored_evidence_is_only_judged_on_the_cluster(cluster: Machines, tmp_path: Path) -> None:
    """Graders changed since a run on this machine: no code runs again but that of a submission that changed too."""
    course = course_of({"jan": RIGHT, "ola": RIGHT}, tmp_path / "course")
    assert ended(command(course, *GRADE)) == (0, "")
    before = reports(course)
    for student in before:
        judged_by_others(course / "graded" / student / "rows" / "report.json")
    submit(course, "ola", WRONG)
    sealed = course / "graded" / "jan" / "rows" / "evidence" / "evidence.json"
    collected = sealed.read_bytes()
    cluster.start_worker()
    code, said = ended(cluster.grade(course))
    assert (code, said.splitlines()[-1]) == (
        0,
        "splot: 1 of 2 judged again from the evidence of an earlier run; --force runs them.",
    )
    assert scores(course) == {"jan": 2.0, "ola": 0.0}
    assert sealed.read_bytes() == collected
    assert without_times(reports(course)["jan"]) == without_times(before["jan"])
    assert "2 of 2 unchanged" in ended(command(course, *GRADE))[1]
    assert ended(cluster.grade(course, "--only", "jan", "--force"))[0] == 0
    assert sealed.read_bytes() != collected


@pytest.mark.usefixtures("english")
def test_only_evidence_is_unpacked(tmp_path: Path) -> None:
    """Names that lead elsewhere, or are none of evidence, are refused; links not packed. What was there goes."""
    for name in (
        "../x",
        "evidence/../../x",
        "/etc/x",
        "evidence",
        "report.json",
        "evidence/.x",
        "evidence/a\n",
        "evidence//a",
    ):
        with pytest.raises(EvidenceError, match="no file of evidence"):
            unpack_evidence({"evidence/good": b"", name: b""}, tmp_path)
    assert list(tmp_path.iterdir()) == []
    packed = {"evidence/arrays/a.npy": b"1", "evidence/evidence.json": b"{}"}
    unpack_evidence(packed, tmp_path)
    (tmp_path / "evidence" / "link").symlink_to("/etc/passwd")
    (tmp_path / "evidence" / ".evidence.json-0").write_text("half")
    assert pack_evidence(tmp_path) == packed
    unpack_evidence(packed, tmp_path)
    assert sorted(path.name for path in (tmp_path / "evidence").iterdir()) == ["arrays", "evidence.json"]


def _first_error(cluster: str, tmp_path: Path) -> str:
    course = course_of({"jan": RIGHT}, tmp_path / "course")
    notebook = course / "submitted" / "jan" / "rows" / "rows.ipynb"
    how = Grading(tmp_path / "graded")
    with pytest.raises(SplotError) as raised:
        list(grade_on_cluster([notebook], load_assignment("rows", LESSON), how, cluster))
    assert not (tmp_path / "graded").exists()
    return str(raised.value)


def test_what_is_no_cluster_is_said_in_a_sentence(tmp_path: Path) -> None:
    """A word that is none, and an address where nothing listens."""
    assert _first_error("localhost", tmp_path).startswith("localhost is no cluster; give local, slurm")


def test_a_scheduler_that_is_not_there_is_said_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address where nothing listens, and TLS without certificates."""
    monkeypatch.setattr("autograder.engine.grading.cluster.CONNECT_S", 0.5)
    assert _first_error("tcp://127.0.0.1:9", tmp_path).startswith(
        "No Dask scheduler can be reached at tcp://127.0.0.1:9"
    )


def test_without_dask_a_sentence_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported only for a cluster."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert _first_error("tcp://127.0.0.1:9", tmp_path) == EXTRA
