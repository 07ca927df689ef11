"""Flags: raised by what was done and by nothing else, shown to instructors only, and never in a score."""

import io
from pathlib import Path

import msgspec
import nbformat
import pytest
from rich.console import Console

from autograder.engine.nbgrader.grade import fill_notebook, flagged
from autograder.engine.notebook.assignment import load_assignment
from autograder.engine.pages.classpage import class_page, read_class
from autograder.engine.pages.feedback import feedback
from autograder.engine.pages.junit import junit
from autograder.engine.pages.page import figures
from autograder.engine.pages.terminal import print_report
from autograder.engine.report import Flag, Profile, Report, read_report
from autograder.engine.text import Lang, in_language
from autograder.lesson import LESSON
from autograder.lesson import flags as rules
from autograder.lesson.flags import RULES, raise_flags
from autograder.lesson.measure import REQUIRED, Measurements
from autograder.lesson.observations import LessonEvidence
from autograder.lesson.presentation import flag_meaning
from tests.engine.graded_pages import leave
from tests.engine.reports import REPORT
from tests.submissions.fitted import COUNTS, FITTED_CELLS
from tests.submissions.right import TASK_1, TASK_3, TASK_5
from tests.unsandboxed import DATA, failed, judged

PRINTED = "\n".join(map(str, COUNTS.values()))
PACKED = "WEIGHTS = '" + "".join(chr(48 + i % 70) for i in range(2100)).replace("\\", "x").replace("'", "y") + "'\n"
# One network solved for, without a gradient; it stands for others too, and others stand for it.
FORGED = FITTED_CELLS | {
    "task3_training": PACKED
    + FITTED_CELLS["task3_training"].replace("        train_one(model", "        0 and train_one(model"),
    "task4_exp3": """
import copy
fit("regularized", copy.deepcopy(models["gap"]), trained=False)
""",
    "task4_exp4": FITTED_CELLS["task4_exp4"] + '\nhistories["deep"]["val_accuracy"] = [0.9, 0.97]',
    "task4_exp5": """
net = Net((4, 6, 9), pool=F.max_pool2d, gap=True, norm=True, padding=1, dilation=2)
fit("custom", net)
for parameter in net.convs.parameters():
    parameter.requires_grad = False
for parameter in net.norms.parameters():
    parameter.requires_grad = False
train_one(net, torch.optim.SGD(net.out.parameters(), 1e-4), [(images[:50], labels[:50])])
net = copy.deepcopy(net)
train_one(net, torch.optim.SGD(net.out.parameters(), 1e-4), [(images[:50], labels[:50])] * 6)
models["custom"] = net
""",
}


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Seven networks trained and truly reported."""
    folder = tmp_path_factory.mktemp("honest")
    return judged({"task3_data": DATA, **FITTED_CELLS}, folder, profile=Profile.QUICK, printed=PRINTED)


@pytest.fixture(scope="module")
def forged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """Seven networks of which hardly one was trained, and their evidence."""
    folder = tmp_path_factory.mktemp("forged")
    return judged({"task3_data": DATA, **FORGED}, folder, profile=Profile.QUICK, printed=PRINTED), folder


def codes(report: Report) -> set[str]:
    """The codes of a report's flags."""
    return {flag.code for flag in report.flags}


def test_who_trained_is_not_flagged(honest: Report) -> None:
    """Trained in the notebook, truly reported: nothing to look at that is about training."""
    assert codes(honest) <= {"falls_under_change"}  # random filters are no honest network's, whatever was done after


def test_each_sign_is_flagged_at_its_network(forged: tuple[Report, Path]) -> None:
    """No gradient, weights in the source or of another, frozen layers, another's history: each with its cell."""
    found = {(flag.code, flag.cells) for flag in forged[0].flags}
    assert {
        ("no_backward", ("task3_architecture_tests",)),
        ("no_backward", ("task4_exp1_tests",)),
        ("no_backward", ("task4_exp2_tests",)),
        ("weights_from_literals", ("task3_training",)),
        ("equal_scores", ("task4_exp2_tests", "task4_exp3_tests")),
        ("shared_tensors", ("task4_exp2_tests", "task4_exp3_tests")),
        ("history_does_not_fit", ("task4_exp4_tests",)),
        ("frozen_layers", ("task4_exp5_tests",)),
        ("warm_start", ("task4_exp5_tests",)),
    } <= found
    assert "not_examined" not in codes(forged[0])


def test_one_ridge_regression_earns_nothing_for_training(forged: tuple[Report, Path]) -> None:
    """What was solved for without a gradient is not trained; nor is a network that is another one again."""
    for number in (1, 2, 4):
        assert "No training of" in failed(forged[0], f"task4_exp{number}_tests")["Really trained"]
    assert "Really trained" in failed(forged[0], "task4_exp3_tests")
    assert "Really trained" not in failed(forged[0], "task4_exp5_tests")
    assert "No training of baseline" in failed(forged[0], "task3_training_tests")["The loss fell"]
    assert "at least two trained" in failed(forged[0], "task4_single_loop_tests")["One training loop in the notebook"]


def test_a_flag_changes_no_score(forged: tuple[Report, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any rule, and with one that breaks, the same evidence gives the same points."""
    from autograder.engine.judging.judge import judge  # noqa: PLC0415

    def broken(_measured: Measurements) -> list[Flag]:
        raise ZeroDivisionError

    for some, expected in (((), ()), ((broken,), (Flag("not_examined", (), {}),))):
        monkeypatch.setattr(rules, "RULES", some)
        report = judge(forged[1], load_assignment(), Lang.EN)
        assert report.flags == expected
        assert (report.cells, report.score, report.status) == (forged[0].cells, forged[0].score, forged[0].status)


SHOWN = Flag("no_backward", ("task3_training_tests",), {"baseline": 0.0})
FLAGGED = msgspec.structs.replace(REPORT, flags=(SHOWN, Flag("equal_scores", ("7",), {"gap = deep": 0.9975})))


def test_old_reports_are_read(tmp_path: Path) -> None:
    """A report written before there were flags has none; what is written now comes back equal."""
    document = msgspec.to_builtins(REPORT)
    del document["flags"]
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(document))
    assert read_report(tmp_path / "report.json") == REPORT
    (tmp_path / "report.json").write_bytes(msgspec.json.encode(FLAGGED))
    assert read_report(tmp_path / "report.json") == FLAGGED


@pytest.mark.parametrize("lang", list(Lang))
def test_the_class_page_shows_and_explains_them(tmp_path: Path, lang: Lang) -> None:
    """Who, which, where, the figures, and what each code means; a class without any has no such section."""
    leave(tmp_path / "anna" / "cnn", FLAGGED)
    page = class_page(read_class(tmp_path, load_assignment()), load_assignment(), lang, tmp_path)
    with in_language(lang):
        for part in ("no_backward", "task3_training_tests", figures(FLAGGED.flags[1]), flag_meaning("equal_scores")):
            assert part in page
    leave(tmp_path / "anna" / "cnn", REPORT)
    assert 'id="flags"' not in class_page(read_class(tmp_path, load_assignment()), load_assignment(), lang, tmp_path)


def test_formgrader_shows_them_first(forged: tuple[Report, Path]) -> None:
    """A cell of the instructor's own before all others, with figures and meaning; none where there is no flag."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    fill_notebook(notebook, FLAGGED, LessonEvidence(forged[1]), load_assignment())
    assert [cell.id == "splot-flags" for cell in notebook.cells] == [True, False]
    with in_language(Lang.EN):
        (cell,) = flagged(FLAGGED, LESSON)
        assert "`no_backward` task3_training_tests: baseline: 0. Not one gradient step" in cell.source
        assert flagged(REPORT, LESSON) == []


def test_no_student_and_no_log_sees_them(tmp_path: Path) -> None:
    """Feedback page, terminal and JUnit are to the byte what they are without flags."""
    said = []
    for name, report in (("flagged", FLAGGED), ("plain", REPORT)):
        folder = leave(tmp_path / name / "anna" / "cnn", report)
        console = Console(file=io.StringIO(), width=200)
        print_report(report, console)
        page = feedback(folder, load_assignment(), Lang.PL)
        said.append((page, console.file.getvalue(), junit([report])))  # type: ignore[attr-defined]
    assert said[0] == said[1]


@pytest.mark.parametrize("lang", list(Lang))
def test_every_code_has_words(lang: Lang) -> None:
    """Each rule's code is explained in both languages; an unknown one stands for itself."""
    with in_language(lang):
        for rule in RULES:
            assert len(flag_meaning(rule.__name__)) > 40
        assert flag_meaning("of_tomorrow") == "of_tomorrow"


LITERALS = {
    "base64 in one string": ("w = '" + "aB3+" * 20 + "Zx9/kLmN" * 300 + "'", True),
    "in many strings": ("\n".join(f"w{i} = b'{'Qw7eRt2yUi' * 12}'" for i in range(20)), True),
    "in a comment": ("# " + "Qw7eRt2yUi" * 300, True),
    "a list of numbers": (f"w = [{', '.join(f'{i / 7:.4f}' for i in range(300))}]", True),
    "nested, in lines": ("w = [" + ",".join(f"[{i}.5,\n -{i}e-3]" for i in range(150)) + "]", True),
    "code as students write it": ("\n".join([*TASK_1.values(), *TASK_3.values(), *TASK_5.values()]), False),
    "a line that divides": ("# " + "=" * 5000 + "\n# " + "-" * 5000, False),
    "the sheet's mask": ("I = [[" + "], [".join(", ".join("101101") for _ in range(6)) + "]]", False),
    "long prose": ("'''" + "Sieć uczy się na obrazach. " * 1000 + "'''", False),
    "digits without a comma, half a megabyte": ("x = '" + "1" * 500_000 + "'", False),
}


@pytest.mark.parametrize("name", LITERALS)
def test_what_is_packed_into_the_source(name: str) -> None:
    """Packed data and long rows of numbers are told from code and prose, in no time whatever the size."""
    source, expected = LITERALS[name]
    assert (rules._packed(source) >= rules.PACKED or rules._numbers(source) >= rules.NUMBERS) is expected


def test_all_seven_networks_are_looked_at(forged: tuple[Report, Path]) -> None:
    """The names that rules go through are those of the reports."""
    assert set(REQUIRED) == set(forged[0].models)
    assert LessonEvidence(forged[1]).model("baseline") is not None
    assert raise_flags(Measurements(LessonEvidence(forged[1])))  # nothing measured: what needs no model is still said
