"""The benchmarks' arithmetic and their page: a class's composition, the forecast of its time, what a command used."""

import sys
from pathlib import Path

import msgspec
import pytest

from autograder.lesson.thresholds import Provenance
from benchmarks.benchmark_page import plot, put_section
from benchmarks.class_results import Piece, _at
from benchmarks.composed_class import COMPARED, LIGHT, PLANTED, SHARES, Part, compose, sizes
from benchmarks.forecast import Cost, Machines, class_of, forecast
from benchmarks.peer_graders import points_by_cell
from benchmarks.peer_results import PeerRun, grouped, ratios, read_runs
from benchmarks.process_usage import Usage, run_measured

HOW = Provenance("a command", "a machine", "2026-12-01", "2.14.1")


@pytest.mark.parametrize("students", [1, 7, 10, 60, 101, 300])
@pytest.mark.parametrize("shares", [SHARES, LIGHT])
def test_a_class_has_its_size_and_shares(students: int, shares: dict[Part, float]) -> None:
    """Each part is within one student of its share, and together they are the class."""
    size = sizes(students, shares)
    assert sum(size.values()) == students
    assert all(abs(number - students * shares[part]) < 1 for part, number in size.items())


def test_a_class_is_evenly_mixed_and_without_equals() -> None:
    """Ten in a row have nearly the shares of all, names sort in that order, and no two notebooks are equal."""
    members = list(compose(60, SHARES))
    for start in range(0, 60, 10):
        whole = sum(sample.part is Part.WHOLE for _, sample in members[start : start + 10])
        assert abs(whole - 6) <= 1
    assert [name for name, _ in members] == sorted(name for name, _ in members)
    texts = {"".join(cell.source for cell in sample.notebook().cells) for _, sample in members}
    assert len(texts) == 60


def test_a_forecast_gives_each_submission_to_the_slot_that_is_free_first() -> None:
    """Of 4, 3, 2 and 1 s on two slots one has 4 and 1, the other 3 and 2; the notebooks' halves take half of that."""
    costs = [Cost(seconds / 2, seconds / 2) for seconds in (4.0, 3.0, 2.0, 1.0)]
    told = forecast(costs, Machines("two", 2, start_s=1.0, serial_s=0.0))
    assert (told.wall_s, told.notebooks_s) == (6.0, 2.5)
    assert told.overhead == pytest.approx(1.4)


def test_no_number_of_slots_beats_the_one_command() -> None:
    """With a slot for each, the class takes as long as its longest submission, or what the command works for all."""
    costs = [Cost(9.0, 1.0)] * 100
    assert forecast(costs, Machines("many", 100, 0.0, serial_s=0.01)).wall_s == 10.0
    assert forecast(costs, Machines("many", 100, 0.0, serial_s=0.5)).wall_s == 50.0


def test_a_larger_class_repeats_what_was_measured_of_each_part() -> None:
    """Of 300 with 60 % whole 180 have the two measured costs of whole ones in turn; a part without any is named."""
    measured = {part: [Cost(1.0, 0.0)] for part in Part} | {Part.WHOLE: [Cost(50.0, 5.0), Cost(70.0, 5.0)]}
    costs = class_of(300, SHARES, measured)
    assert [sum(cost.notebook_s == seconds for cost in costs) for seconds in (50.0, 70.0, 1.0)] == [90, 90, 120]
    with pytest.raises(ValueError, match="hostile"):
        class_of(300, SHARES, {part: costs for part, costs in measured.items() if part is not Part.HOSTILE})


def test_pauses_between_runs_are_left_out() -> None:
    """A report written 5 s into the second run is at 15 s, if the first took 10 s, however long the pause was."""
    pieces = [Piece(started, Usage(0, 10.0, 1.0), HOW) for started in (1000.0, 5000.0)]
    assert [_at(written, pieces) for written in (1004.0, 5005.0)] == [4.0, 15.0]


def test_a_command_is_measured_with_what_it_leaves_behind(tmp_path: Path) -> None:
    """A grandchild's processor time counts, though its parent ended first and waited for nobody."""
    burn = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"
    leave = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {burn!r}]); time.sleep(0.5)"
    used = run_measured([sys.executable, "-c", leave], tmp_path, {}, tmp_path / "log")
    assert used.exit_code == 0
    assert used.cpu_s > 0.95
    assert used.first_cpu_s <= used.cpu_s


def test_results_are_read_as_they_were_kept(tmp_path: Path) -> None:
    """One a line; the speed is the ratio of the mean wall times a student."""
    runs = [
        PeerRun(
            "splot", "splot 0", "right", 2, 60_000, {"task1_convolution_tests": 4.0}, Usage(0, 20.0, 9.0), HOW, 0.1
        ),
        PeerRun("nbgrader", "nbgrader 0", "right", 2, 60_000, {}, Usage(1, 90.0, 80.0), HOW, 0.1),
    ]
    path = tmp_path / "runs.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode(run) + b"\n" for run in runs))
    assert read_runs(path) == runs
    assert [run.total for run in runs] == ["4", "none"]
    assert ratios(grouped(read_runs(path), 60_000)) == "Speed, as a multiple of the peer's: right (2) 4.5 × nbgrader."


def test_what_samples_deserve_fits_the_notebook() -> None:
    """The right one deserves all points there are, no other more, and every planted mistake is in a test cell."""
    points = points_by_cell()
    deserved = {sample.name: sample.deserves for sample in COMPARED}
    assert deserved["right"] == sum(points.values())
    assert all(
        0 <= worth < sum(points.values()) for name, worth in deserved.items() if worth is not None and name != "right"
    )
    assert set(PLANTED) < set(points)


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    """Only what stands between the two comments changes; without them the page is named."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- peers -->\nold\n<!-- end of peers -->\nafter\n")
    put_section("peers", "new", page)
    assert page.read_text() == "before\n<!-- peers -->\n\nnew\n\n<!-- end of peers -->\nafter\n"
    with pytest.raises(ValueError, match=r"page\.md has no"):
        put_section("classes", "new", page)


def test_a_plot_is_the_same_bytes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal figures give an equal file, so that a diff shows only what was measured anew."""
    monkeypatch.setattr("benchmarks.benchmark_page.PLOTS", tmp_path)
    drawn = []
    for _ in range(2):
        with plot("one", "title", "x", "y") as axes:
            axes.plot([1, 2], [3, 4], label="line")
        drawn.append((tmp_path / "one.svg").read_bytes())
    assert drawn[0] == drawn[1]
