"""`report.json`: the schema's fields by name and order, the sums, and reading back what was written."""

import json
from pathlib import Path

import msgspec
import pytest

from autograder.engine.files import write_report, write_whole
from autograder.engine.report import (
    Check,
    Kind,
    Outcome,
    Profile,
    Status,
    encode,
    encode_all,
    read_report,
    totals,
)
from tests.engine.reports import CELLS, REPORT


def test_the_fields_are_the_schemas_in_its_order() -> None:
    """Names and order of `splot/report/v1`, at every level."""
    document = json.loads(encode(REPORT))
    assert " ".join(document) == (
        "schema submission student assignment profile dataset sandbox memory_guard status reason notes score max_score bonus "
        "max_bonus needs_manual cells models flags timing versions key"
    )
    assert document["schema"] == "splot/report/v1"
    assert " ".join(document["cells"][0]) == "id title kind points score status checks profile"
    assert " ".join(document["cells"][0]["checks"][0]) == "name weight passed message more_data"
    assert " ".join(document["models"]["baseline"]) == "accuracy threshold parameters layers verified"
    assert " ".join(document["timing"]) == "start_s notebook_s probe_s judge_s"


def test_enumerations_are_written_by_the_schemas_words() -> None:
    """Statuses, kinds, outcomes and profiles are the words that other tools look for."""
    words = [[member.value for member in kind] for kind in (Status, Kind, Outcome, Profile)]
    assert words == [
        ["passed", "partial", "failed", "error", "missing", "timeout", "memory", "manual", "undecided"],
        ["auto", "manual", "bonus"],
        ["graded", "ungraded"],
        ["auto", "quick", "medium", "full"],
    ]
    document = json.loads(encode(REPORT))
    assert (document["cells"][0]["status"], document["status"], document["profile"]) == ("partial", "graded", "quick")


def test_a_written_report_is_read_back(tmp_path: Path) -> None:
    """Whole, in a folder made for it, readable by all, with nothing left beside it."""
    path = write_report(REPORT, tmp_path / "graded" / "anna")
    assert read_report(path) == REPORT
    assert path.stat().st_mode & 0o777 == 0o644
    assert [file.name for file in path.parent.iterdir()] == ["report.json"]


def test_one_report_stands_alone_and_several_in_a_list() -> None:
    """`--json` writes what `report.json` holds, or a list of such, also where a class was cut short after the first."""
    assert encode_all([REPORT], 1) == encode(REPORT)
    assert json.loads(encode_all([REPORT, REPORT], 2)) == [json.loads(encode(REPORT))] * 2
    assert json.loads(encode_all([REPORT], 2)) == [json.loads(encode(REPORT))]
    assert json.loads(encode_all([], 1)) == []


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", encode(REPORT).replace(b"report/v1", b"report/v2"), encode(REPORT).replace(b'"auto"', b'"car"')],
)
def test_what_is_no_report_of_this_version_is_refused(tmp_path: Path, content: bytes) -> None:
    """Another version, another vocabulary, another file."""
    (tmp_path / "report.json").write_bytes(content)
    with pytest.raises(msgspec.DecodeError):
        read_report(tmp_path / "report.json")


def test_sums_are_of_what_was_decided() -> None:
    """Undecided and written cells are in neither sum, kinds are not mixed, and no float noise is left."""
    assert totals(CELLS, Kind.AUTO) == (3.3, 5.0)
    assert totals(CELLS, Kind.BONUS) == (0.5, 0.5)
    assert totals(CELLS, Kind.MANUAL) == (0, 0)


@pytest.mark.parametrize(
    ("score", "worth", "percent"), [(3.0, 4.0, 50.0), (0.0, 4.0, 0.0), (0.0, 0.0, 0.0), (None, 4.0, None)]
)
def test_percent_is_of_what_is_certain(score: float | None, worth: float, percent: float | None) -> None:
    """The open cell's point counts as not earned yet; None where nothing was judged."""
    assert msgspec.structs.replace(REPORT, score=score, max_score=worth).certain_percent == percent


def test_percent_of_nothing_is_none() -> None:
    """Where there is nothing to earn nothing is divided by it."""
    assert msgspec.structs.replace(REPORT, score=0.0, max_score=0.0, cells=()).certain_percent is None


def test_undecided_cells_are_listed_and_our_own_time_is_not_the_notebooks() -> None:
    """What calls for a second run, and what grading adds."""
    assert REPORT.undecided == (CELLS[2],)
    assert REPORT.timing.ours_s == 8.0


def test_half_characters_do_not_stop_a_report(tmp_path: Path) -> None:
    """A file name that is not UTF-8 and half a surrogate pair in a message become question marks."""
    check = Check("nazwa", 1, passed=False, message="emoji: \ud83d!")
    cell = msgspec.structs.replace(CELLS[0], checks=(check,))
    report = msgspec.structs.replace(REPORT, student="jan\udcb3", cells=(cell,), versions={"\udcff": "1"})
    read = read_report(write_report(report, tmp_path))
    assert (read.student, read.cells[0].checks[0].message, read.versions) == ("jan?", "emoji: ?!", {"?": "1"})


def test_a_failed_write_leaves_the_old_report_whole(tmp_path: Path) -> None:
    """What cannot be written is not half there, and what was there stays."""
    path = write_report(REPORT, tmp_path)
    with pytest.raises(TypeError):
        write_whole(path, "not bytes")  # type: ignore[arg-type]
    assert read_report(path) == REPORT
    assert [file.name for file in tmp_path.iterdir()] == ["report.json"]
