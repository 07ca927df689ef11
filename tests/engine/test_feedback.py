"""The feedback page: what the judge saw, in words and pictures; nothing that gives an answer away; inert."""

import io
import re
import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from autograder.engine.errors import EvidenceError, SplotError, SubmissionError
from autograder.engine.evidence.reader import read_findings
from autograder.engine.notebook.assignment import Assignment, load_assignment
from autograder.engine.notebook.submission import read_submission
from autograder.engine.pages.feedback import Mark, feedback, leave_feedback, place, write_feedback
from autograder.engine.report import Outcome, Profile, Report, Status, read_report
from autograder.engine.text import Lang, in_language
from autograder.lesson.datasets import load_split
from autograder.lesson.findings import CNNFindings
from autograder.lesson.graders.convolutions import RANDOM, SHAPES, SHEET, arguments
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import Flavour, LessonEvidence
from autograder.lesson.pictures import comparisons, draw_findings
from reference.convolution import convolution
from reference.data import Dataset
from tests.engine.graded_pages import anatomy, findings_saying, graded, leave
from tests.engine.reports import REPORT

MODELS = ["baseline", "max_pool", "avg_pool", "gap", "regularized", "deep", "custom"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judged submission of seven networks, all right but for two functions of Task 1."""
    return graded(tmp_path_factory.mktemp("graded"), Lang.EN)


@pytest.fixture(scope="module")
def findings(folder: Path) -> CNNFindings:
    """What the judge left of it."""
    return read_findings(folder / "evidence", CNNFindings)


@pytest.fixture(scope="module")
def assignment() -> Assignment:
    """The instructor's notebook."""
    return load_assignment()


@pytest.fixture(scope="module")
def page(folder: Path, assignment: Assignment) -> str:
    """The submission's page, in English."""
    return write_feedback(folder, assignment, Lang.EN).read_text()


def test_the_judge_draws_without_a_fault(findings: CNNFindings) -> None:
    """Every picture that the submission gives rise to is there."""
    assert findings.faults == ()
    assert [model.name for model in findings.models] == MODELS
    assert all(model.layers for model in findings.models)
    assert len(findings.overlays) == 4
    assert findings.best is not None


def test_a_wrong_convolution_is_shown_beside_the_right_shape(findings: CNNFindings) -> None:
    """The rotated kernel's errors are levels from 0 to 4; the map that was not padded has another shape, and no errors."""
    rotated = [it for it in findings.comparisons if it.function == "convolution"]
    assert [it.expected == it.returned for it in rotated] == [True] * 3
    assert {level for it in rotated for row in it.errors for level in row} <= set(range(5))
    assert all(any(map(any, it.errors)) for it in rotated)
    (unpadded,) = [it for it in findings.comparisons if it.function == "convolution_same"]
    assert (unpadded.expected, unpadded.returned, unpadded.errors) == ((7, 9, 4), (5, 7, 4), ())


def test_the_error_map_is_where_the_error_is(folder: Path, tmp_path: Path) -> None:
    """One value that is off in one filter shows at its place alone, as a level; of the right answers none is shown."""
    evidence = LessonEvidence(Path(shutil.copytree(folder / "evidence", tmp_path / "evidence")))
    for probe in (*SHEET, *RANDOM, *SHAPES):
        X, K, q = arguments(evidence, probe)
        answer = np.array(convolution(X.astype(np.float64), K.astype(np.float64), q))
        if probe.name == "real":
            answer[2, 1, 3] += np.abs(answer).max() / 50
        for flavour in Flavour:
            np.save(evidence.folder / "arrays" / f"{probe.cell}-{probe.name}-{flavour}.npy", answer)
    (shown,) = [it for it in comparisons(Measurements(evidence)) if it.function == "convolution"]
    assert [(y, x, level) for y, row in enumerate(shown.errors) for x, level in enumerate(row) if level] == [(2, 1, 2)]


def test_pictures_show_visible_images_only(folder: Path, findings: CNNFindings) -> None:
    """Each misread image is one the notebook saw, of the class it says; the counts are those of all of them."""
    visible = load_split(Dataset.FASHION_MNIST, LessonEvidence(folder / "evidence").file.profile).visible
    seen = {(image.numpy().tobytes(), int(label)) for image, label in zip(visible.images, visible.labels, strict=True)}
    assert findings.best is not None
    assert findings.best.misread
    for it in findings.best.misread:
        assert (np.asarray(Image.open(io.BytesIO(it.image)).convert("L")).tobytes(), it.label) in seen
        assert it.predicted != it.label
    assert sum(map(sum, findings.best.confusion)) == len(visible.labels)


def test_the_best_network_is_the_one_that_the_judge_measured_best(folder: Path, findings: CNNFindings) -> None:
    """By accuracy on images the notebook never saw, not by what it says."""
    accuracies = {name: model.accuracy or 0.0 for name, model in read_report(folder / "report.json").models.items()}
    assert findings.best is not None
    assert accuracies[findings.best.name] == max(accuracies.values())


def test_the_page_shows_what_was_found(page: str) -> None:
    """Points, each check in words, curves of all models, tables of their layers, pictures with words for each."""
    parts = anatomy(page)
    for text in ("ania", "Task 1", "rotated by 180°", "task1_convolution", "Learning curves", "The best network"):
        assert text in parts.text, text
    assert page.count('class="line s') == 3 * len(MODELS) + len(MODELS)  # in three panels, and in the key
    assert all(f"<code>{name}</code>" in page for name in MODELS)
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 12 + 2 * 4
    assert all(re.search(r'alt="[^"]+"', image) for image in images)
    assert all("aria-label=" in tag or "aria-hidden=" in tag for tag in re.findall(r"<svg [^>]*>", page))


def test_the_page_is_one_small_file_without_script(page: str) -> None:
    """Below 2 MB; a policy that allows no script and loads nothing; every address is in the page itself."""
    parts = anatomy(page)
    assert len(page.encode()) < 2_000_000
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page
    assert not {"script", "iframe", "object", "link", "form", "base"} & set(parts.tags)
    assert not {name for name in parts.names if name.startswith("on")} | ({"style"} & parts.names)
    assert all(address.startswith(("#", "data:image/png;base64,")) for address in parts.addresses)


def test_nothing_of_the_grader_is_on_the_page(page: str, folder: Path) -> None:
    """No source or name of a check's function, no traceback, no path of this machine, none of the judge's inputs."""
    hidden = re.findall(
        r"def (test_\w+)", "".join(p.read_text() for p in Path("autograder/lesson/graders").glob("*.py"))
    )
    assert len(hidden) > 20
    for text in (*hidden, "Traceback", "assert ", str(folder), str(Path.home()), "held_out"):
        assert text not in page, text


@pytest.mark.parametrize("lang", Lang)
def test_every_graded_cell_says_what_was_expected_and_where(lang: Lang, assignment: Assignment) -> None:
    """A sentence in each language, and a heading of the notebook."""
    with in_language(lang):
        said = {item.grade_id: item.expectation for item in assignment.items}
    assert all(text.endswith(".") for text in said.values()), said
    assert len(set(said.values())) == len(said)
    assert all(place(assignment, cell)[0] for cell in said)
    assert place(assignment, "task1_convolution_tests")[1] == "task1_convolution"


def test_marks_stand_before_the_graders_points(tmp_path: Path, assignment: Assignment) -> None:
    """A person's points and comment show at their cell and in the total; lateness is taken off and said."""
    folder = leave(tmp_path, REPORT)
    marks = {"d_answer": Mark(1.25, 1.5, "Dobrze!\nAle za krótko."), "c_tests": Mark(None, 2.0, "Jeszcze raz.")}
    before = anatomy(feedback(folder, assignment, Lang.EN)).text
    after = anatomy(feedback(folder, assignment, Lang.EN, marks, penalty=2)).text
    for text in (
        "1.25 / 1.5",
        "Dobrze!\nAle za krótko.",
        "Jeszcze raz.",
        "2.55 / 6.5 points",
        "Taken off for lateness: 2.",
    ):
        assert text in after, text
        assert text not in before, text
    assert "3.3 / 5 points" in before
    assert "Left for a person to grade: 3.5 points." in before
    assert "Left for a person to grade: 2 points." in after


def test_lateness_takes_points_then_bonus_and_no_more(tmp_path: Path, assignment: Assignment) -> None:
    """A penalty of nbgrader is of points and bonus together: a page shows none below zero."""
    text = anatomy(feedback(leave(tmp_path, REPORT), assignment, Lang.EN, penalty=3.8)).text
    assert "0 / 5 points" in text
    assert "+ 0 / 0.5 ★" in text


def test_a_fault_in_one_picture_costs_that_picture(folder: Path, findings: CNNFindings, tmp_path: Path) -> None:
    """With one map damaged, what was drawn of Task 1 and of the models is as it was, and the instructor is told."""
    evidence = LessonEvidence(Path(shutil.copytree(folder / "evidence", tmp_path / "evidence")))
    (evidence.folder / "arrays" / "map-gap-0.npy").write_bytes(b"\x93NUMPY")
    found = draw_findings(Measurements(evidence))
    assert found.faults == ("overlays: EvidenceError",)
    assert found.overlays == ()
    assert found.comparisons == findings.comparisons
    assert [model.history for model in found.models] == [model.history for model in findings.models]


@pytest.mark.parametrize("damage", [b"", b"{}{", b'{"best": 3}', b'{"models": [{"name": "../x"}]}'])
def test_a_page_without_findings_still_says_the_score(damage: bytes, tmp_path: Path, assignment: Assignment) -> None:
    """CNNFindings that are damaged are refused, and the words of the report are shown."""
    folder = leave(tmp_path, REPORT, CNNFindings())
    (folder / "evidence" / "findings.json").write_bytes(damage)
    if damage != b"{}":
        with pytest.raises(EvidenceError):
            read_findings(folder / "evidence", CNNFindings)
    assert "3,3" in feedback(folder, assignment, Lang.PL)


def test_a_page_that_cannot_be_written_costs_nothing(tmp_path: Path, assignment: Assignment) -> None:
    """The grade stays; a page of an earlier run does not survive beside a report that cannot be shown."""
    folder = leave(tmp_path / "a", REPORT)
    (folder / "feedback.html").mkdir()
    leave_feedback(folder, assignment, Lang.PL)
    assert read_report(folder / "report.json").score == REPORT.score
    stale = leave(tmp_path / "b", REPORT)
    write_feedback(stale, assignment, Lang.PL)
    (stale / "report.json").write_text("{")
    leave_feedback(stale, assignment, Lang.PL)
    assert not (stale / "feedback.html").exists()


def test_no_report_is_one_sentence(tmp_path: Path, assignment: Assignment) -> None:
    """What, where, what to do."""
    with pytest.raises(SplotError, match=r"report\.json cannot be read .*grade this submission again\."):
        write_feedback(tmp_path, assignment, Lang.PL)


@pytest.mark.parametrize("graded_in", Lang)
def test_an_ungraded_page_says_why_where_it_is_the_students(
    graded_in: Lang, tmp_path: Path, assignment: Assignment
) -> None:
    """A broken file's reason is shown, in the page's language, without its folder, without points, with nothing older."""
    notebook = tmp_path / "secret-place" / "cnn.ipynb"
    notebook.parent.mkdir()
    notebook.write_bytes(b'{"cells": [')
    with in_language(graded_in), pytest.raises(SubmissionError) as refused:
        read_submission(notebook, assignment)
    report = ungraded(str(notebook), str(refused.value))
    folder = leave(tmp_path / "a", report, findings_saying("of an earlier run"))
    text = anatomy(feedback(folder, assignment, Lang.EN)).text
    assert "cnn.ipynb is truncated" in text
    for hidden in ("secret-place", "of an earlier run", " / 5", "not a zero"):
        assert hidden not in text


@pytest.mark.parametrize("submission", ["release/cnn/cnn.ipynb", "gone/cnn.ipynb"])
def test_an_ungraded_page_keeps_the_graders_faults_to_itself(
    submission: str, tmp_path: Path, assignment: Assignment
) -> None:
    """What the grader broke is for the instructor; the student reads that it is no zero."""
    text = anatomy(feedback(leave(tmp_path, ungraded(submission, "KeyError in judge.py")), assignment, Lang.PL)).text
    assert "To nie jest zero" in text
    assert "KeyError" not in text
    assert "gone" not in text


def ungraded(submission: str, reason: str) -> Report:
    """Return the report of a submission without points."""
    return msgspec.structs.replace(
        REPORT, status=Outcome.UNGRADED, submission=submission, reason=reason, score=None, cells=()
    )


def test_quick_is_said_and_undecided_is_no_zero(tmp_path: Path, assignment: Assignment) -> None:
    """An open cell has a dash, its own word, and counts to what a person will grade."""
    assert REPORT.profile is Profile.QUICK
    assert REPORT.cells[2].status is Status.UNDECIDED
    text = re.sub(r"\s+", " ", anatomy(feedback(leave(tmp_path, REPORT), assignment, Lang.PL)).text)
    assert "– / 2 ? nierozstrzygnięte" in text
    assert "pozostaje: 3,5 pkt" in text
