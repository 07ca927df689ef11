"""`splot audit`: the corpus is read strictly, reports are compared with its rows, and where they disagree the command says so."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from autograder.cli import app
from autograder.engine.audit import Audit, CheckAudit, SampleAudit, Verdict, is_fault, read_corpus
from autograder.engine.audit.compare import compare
from autograder.engine.audit.corpus import Row, Sample
from autograder.engine.audit.rates import rates, upper_bound
from autograder.engine.errors import GraderError
from autograder.engine.notebook import load_assignment
from autograder.engine.report import CellReport, Check, Kind, Outcome, Profile, Report, SandboxKind, Status
from tests.engine.sandboxed_kernel import needs_bubblewrap
from tests.submissions.build import ROOT

CELL = "task2_case_1_tests"
ROW = f'# /// row\n# summary = "x"\n# right = ["{CELL}"]\n# ///\n'
NAME = "Output shape and required parameters"


def corpus(folder: Path, **files: str) -> Path:
    """Write a corpus of these files."""
    for name, text in files.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder


def test_a_row_and_its_cells_are_read(tmp_path: Path) -> None:
    """An answer, a cell added before it, a table of what is lost; lines between are the student's."""
    text = (
        '# /// row\n# summary = "ż"\n#\n# [loses.task2_case_1_tests]\n# "A check, and more" = "55×55"\n# ///\n\n'
        "# %% before task2_case_1\n# %%timeit is none of ours\nx = 1\n\n# %% task2_case_1\ncase_1 = x\n"
    )
    (sample,) = read_corpus(corpus(tmp_path, **{"wrong/a": text}), load_assignment())
    assert (sample.name, sample.student) == ("wrong/a", "wrong-a")
    assert sample.row == Row("ż", (), {CELL: {"A check, and more": "55×55"}})
    assert [(answer.cell_id, answer.added) for answer in sample.answers] == [
        ("task2_case_1", True),
        ("task2_case_1", False),
    ]
    assert sample.answers[0].source == "# %%timeit is none of ours\nx = 1"
    (alone,) = read_corpus(tmp_path / "wrong" / "a.py", load_assignment())
    assert (alone.name, alone.row) == ("a", sample.row)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x = 1\n", "does not begin with its row"),
        ("# /// row\n# summary = x\n# ///\n", "cannot be read: Invalid value"),
        ('# /// row\n# summary = "x"\n# points = 3\n# ///\n', "unknown field `points`"),
        ('# /// row\n# right = ["a"]\n# ///\n', "missing required field `summary`"),
        ('# /// row\n# summary = "x"\n# ///\n', "names no test cell"),
        (ROW.replace(CELL, "task9_tests"), "names the test cell task9_tests, which cnn has not"),
        (ROW + "x = 1\n", "has code before its first cell"),
        (ROW + "# %% task9\n", "has a cell task9, which cnn has not"),
        (ROW + "# %% task2_case_1\n# %% task2_case_1\n", "answers task2_case_1 twice"),
        (ROW.replace("# ///\n", f'# [loses.{CELL}]\n# a = "b"\n# ///\n', 2)[8:], "does not begin"),
        (
            ROW.removesuffix("# ///\n") + f'# [loses.{CELL}]\n# a = "b"\n# ///\n',
            "both that it is right and that it loses",
        ),
        ('# /// row\n# summary = "x"\n# [loses.' + CELL + "]\n# ///\n", f"does not say which checks of {CELL} fail"),
    ],
)
def test_a_row_that_is_none_is_refused(text: str, why: str, tmp_path: Path) -> None:
    """One sentence names the file and what is wrong."""
    with pytest.raises(GraderError) as caught:
        read_corpus(corpus(tmp_path, row=text), load_assignment())
    assert why in str(caught.value)
    assert "row.py" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_of_one_name_or_none_at_all(tmp_path: Path) -> None:
    """They would be one student; an empty folder is no corpus."""
    with pytest.raises(GraderError, match="holds no corpus"):
        read_corpus(tmp_path, load_assignment())
    with pytest.raises(GraderError, match=r"Two submissions of .* are called a-b; rename"):
        read_corpus(corpus(tmp_path, **{"a-b": ROW, "a/b": ROW}), load_assignment())


LOSES = {CELL: {"one": "55"}}
AGREES, OPEN, PERSON = Verdict.AGREES, Verdict.OPEN, Verdict.PERSON


@pytest.mark.parametrize(
    ("loses", "check", "verdict", "fault"),
    [
        ({}, Check("one", 1, True, ""), AGREES, False),
        ({}, Check("one", 1, False, "56"), Verdict.FALSE_FAIL, True),
        ({}, Check("one", 1, None, "", more_data=True), OPEN, False),
        ({}, Check("one", 1, None, ""), PERSON, True),
        (LOSES, Check("one", 1, False, "it is 55"), AGREES, False),
        (LOSES, Check("one", 1, False, "56"), Verdict.UNNAMED, True),
        (LOSES, Check("one", 1, True, ""), Verdict.FALSE_PASS, True),
        (LOSES, Check("one", 1, None, "", more_data=True), OPEN, False),
        (LOSES, Check("one", 1, None, ""), PERSON, False),
    ],
)
def test_a_check_against_its_row(loses: dict[str, dict[str, str]], check: Check, verdict: Verdict, fault: bool) -> None:
    """Every case of should and did."""
    right = () if loses else (CELL,)
    (audited,) = compare(Sample("x", Row("", right, loses), ()), graded(check)).checks
    assert audited.verdict is verdict
    assert is_fault(audited) is fault


def graded(*checks: Check) -> Report:
    """Return a report with one cell of these checks."""
    cell = CellReport(CELL, "", Kind.AUTO, 1, 1, Status.PASSED, checks)
    return Report(
        submission="", student="", assignment="cnn", profile=Profile.QUICK, dataset=None, sandbox=SandboxKind.BWRAP,
        status=Outcome.GRADED, cells=(cell,),
    )  # fmt: skip


def test_a_row_that_names_another_check_is_not_compared() -> None:
    """A check that was renamed must not pass for one that agrees."""
    audited = compare(Sample("x", Row("", (), {CELL: {"two": ""}}), ()), graded(Check("one", 1, False, "")))
    assert audited.reason == f"The row names the check 'two', but {CELL} has: one."


def test_rates_count_what_is_decided() -> None:
    """Open checks are in none; a right one that is left to a person is a false fail."""
    verdicts = [(True, AGREES), (True, Verdict.FALSE_FAIL), (True, PERSON), (True, OPEN), (False, AGREES)]
    verdicts += [(False, Verdict.FALSE_PASS), (False, Verdict.UNNAMED), (False, PERSON)]
    checks = tuple(CheckAudit("", "", expected, None, verdict, "") for expected, verdict in verdicts)
    found = rates([SampleAudit("x", "", checks)])
    assert (found.false_fails.count, found.false_fails.n) == (2, 3)
    assert (found.false_passes.count, found.false_passes.n) == (1, 4)
    assert (found.unnamed.count, found.unnamed.n) == (1, 2)
    assert found.open == 1
    assert rates([]).false_fails.at_most is None


def test_the_bound_is_clopper_and_pearsons() -> None:
    """None of n gives 1 − 0.05^(1/n); 1 of 10 gives 0.3942, as in their tables."""
    assert upper_bound(0, 59) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert upper_bound(1, 10) == pytest.approx(0.3942, abs=5e-5)
    assert upper_bound(7, 7) == 1


ANSWER = "# %% task2_case_1\ncase_1 = nn.Conv2d(3, 64, kernel_size={size}, stride={stride}, padding=2)\n"
LOST = f'# /// row\n# summary = "x"\n# [loses.{CELL}]\n# "{NAME}" = "MESSAGE"\n# ///\n'
IMPORTS = "# %% before task2_case_1\nfrom torch import nn\n"


@needs_bubblewrap
def test_the_command_says_where_the_grader_and_the_corpus_disagree(tmp_path: Path) -> None:
    """Really graded: right, wrong with its message, and two rows that claim otherwise; the same again runs nothing."""
    right, small = ANSWER.format(size=11, stride=4), ANSWER.format(size=5, stride=4)
    files = {
        "right/fits": ROW + right,
        "right/small": ROW + small,
        "wrong/fits": LOST.replace("MESSAGE", "55×55") + right,
        "wrong/small": LOST.replace("MESSAGE", "55×55") + small,
        "wrong/unnamed": LOST.replace("MESSAGE", "dilation") + small,
    }
    folder, out = corpus(tmp_path / "corpus", **files), tmp_path / "out"
    command = ["audit", str(folder), "--out", str(out), "-j", "2", "--json", str(tmp_path / "audit.json")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1, done.output
    audit = msgspec.json.decode((tmp_path / "audit.json").read_bytes(), type=Audit)
    assert {sample.name: [check.verdict for check in sample.checks] for sample in audit.samples} == {
        "right/fits": [AGREES],
        "right/small": [Verdict.FALSE_FAIL],
        "wrong/fits": [Verdict.FALSE_PASS],
        "wrong/small": [AGREES],
        "wrong/unnamed": [Verdict.UNNAMED],
    }
    assert "1 of 2 checks that should pass failed" in done.output
    page = (out / "audit.html").read_text("utf-8")
    assert "right/small" in page
    reports = {path: path.stat().st_mtime_ns for path in out.glob("graded-1/*/cnn/report.json")}
    assert len(reports) == len(files)
    again = CliRunner().invoke(app, [*command, "--only", "right/fits", "--only", "wrong/small"])
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in reports} == reports


def test_no_submission_of_that_name(tmp_path: Path) -> None:
    """One sentence, exit code 2."""
    folder = corpus(tmp_path, a=ROW)
    done = CliRunner().invoke(app, ["audit", str(folder), "--only", "zzz"])
    assert isinstance(done.exception, GraderError)
    assert str(done.exception) == f"No submission of {folder} has zzz in its name."


def test_our_own_corpus_is_one() -> None:
    """Every row can be read and fits the assignment."""
    samples = read_corpus(ROOT / "corpus" / "cnn", load_assignment("cnn", ROOT))
    assert len(samples) >= 50
