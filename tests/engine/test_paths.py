"""What there is to grade at a path: every student of a class is found, none is left out in silence."""

import os
import tempfile
from pathlib import Path

import pytest

from autograder.engine.errors import SubmissionError
from autograder.engine.notebook.find import NothingToGradeError, find_evidence, find_submissions, left_out, require_own
from autograder.engine.text import Lang, in_language


def touch(*paths: Path) -> None:
    """Make empty files with their folders."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(path: Path) -> list[str]:
    """Return what is found at `path`, as paths from there."""
    return [os.path.relpath(notebook, path) for notebook in find_submissions(path, "cnn")]


def test_a_notebook_is_itself(tmp_path: Path) -> None:
    """A file is graded whatever it is called."""
    touch(tmp_path / "mine.ipynb")
    assert find_submissions(tmp_path / "mine.ipynb", "cnn") == [tmp_path / "mine.ipynb"]


def test_a_class_is_found_in_order(tmp_path: Path) -> None:
    """submitted/ gives each student's notebook of this assignment, sorted, and no other assignment's."""
    touch(tmp_path / "zofia/cnn/cnn.ipynb", tmp_path / "anna/cnn/cnn.ipynb", tmp_path / "anna/mlp/mlp.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb", "zofia/cnn/cnn.ipynb"]


@pytest.mark.parametrize("below", ["", "anna", "anna/cnn"])
def test_a_class_a_student_and_an_assignments_folder_are_all_taken(tmp_path: Path, below: str) -> None:
    """Whichever of the layout's folders is given, the notebook is found."""
    touch(tmp_path / "anna/cnn/cnn.ipynb")
    assert find_submissions(tmp_path / below, "cnn") == [tmp_path / "anna/cnn/cnn.ipynb"]


def test_the_working_directory_is_a_folder_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`splot grade .` in an assignment's folder finds the notebook."""
    touch(tmp_path / "anna/cnn/cnn.ipynb")
    monkeypatch.chdir(tmp_path / "anna/cnn")
    assert find_submissions(Path(), "cnn") == [Path("cnn.ipynb")]


def test_a_notebook_of_another_name_is_found_when_it_is_the_only_one(tmp_path: Path) -> None:
    """A renamed notebook counts; an operating system's hidden file beside it does not."""
    touch(tmp_path / "anna/cnn/Kopia cnn (1).ipynb", tmp_path / "anna/cnn/._Kopia cnn (1).ipynb")
    (tmp_path / "anna/cnn/folder.ipynb").mkdir()
    assert found(tmp_path) == ["anna/cnn/Kopia cnn (1).ipynb"]


def test_a_student_whose_notebook_cannot_be_told_is_not_left_out(tmp_path: Path) -> None:
    """Two notebooks of other names, or none: the path that should be there stands for the student."""
    touch(tmp_path / "anna/cnn/a.ipynb", tmp_path / "anna/cnn/b.ipynb", tmp_path / "ewa/cnn/notes.txt")
    touch(tmp_path / "zofia/cnn/cnn.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb", "ewa/cnn/cnn.ipynb", "zofia/cnn/cnn.ipynb"]


def test_a_pipe_for_a_notebook_is_not_left_out(tmp_path: Path) -> None:
    """What only looks like a notebook is named too, and refused when it is read."""
    (tmp_path / "anna/cnn").mkdir(parents=True)
    os.mkfifo(tmp_path / "anna/cnn/cnn.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb"]


def refusals(path: Path) -> list[str]:
    """Return why each of a class's notebooks cannot be taken, from its name on; empty where it can."""
    sentences = []
    for notebook in find_submissions(path, "cnn"):
        try:
            with in_language(Lang.EN):
                require_own(notebook, "cnn")
        except SubmissionError as refusal:
            sentences.append(str(refusal).removeprefix(f"{path}/"))
        else:
            sentences.append("")
    return sentences


def test_a_student_without_a_notebook_of_their_own_is_refused_alone(tmp_path: Path) -> None:
    """Several notebooks, an archive, one too deep, none, a link, a file for the folder: a sentence each, the class goes on."""
    touch(tmp_path / "a/cnn/one.ipynb", tmp_path / "a/cnn/two.ipynb", tmp_path / "b/cnn/work.ZIP")
    touch(
        tmp_path / "c/cnn/project/cnn.ipynb",
        tmp_path / "d/cnn/notes.txt",
        tmp_path / "f/cnn",
        tmp_path / "z/cnn/cnn.ipynb",
    )
    (tmp_path / "e").mkdir()
    (tmp_path / "e/cnn").symlink_to(tmp_path / "z/cnn")
    assert refusals(tmp_path) == [
        "a/cnn holds several notebooks, none of them named cnn.ipynb: one.ipynb, two.ipynb; leave one.",
        "b/cnn holds an archive and no notebook; unpack it.",
        "c/cnn holds a notebook only further down (project/cnn.ipynb); move it up.",
        "d/cnn holds no notebook.",
        "e/cnn is a link; submit the folder itself.",
        "f/cnn is no folder; put the notebook into one.",
        "",
    ]


def test_links_that_lead_nowhere_or_in_circles_are_refused(tmp_path: Path) -> None:
    """Neither is followed, and neither student is left out."""
    touch(tmp_path / "z/cnn/cnn.ipynb")
    for name, target in (("a", "nowhere"), ("b", "cnn")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cnn").symlink_to(target)
    sentence = "cnn is a link; submit the folder itself."
    assert refusals(tmp_path) == [f"a/{sentence}", f"b/{sentence}", ""]


def test_work_beside_its_folder_is_not_left_out_of_a_class(tmp_path: Path) -> None:
    """A notebook or an archive in a student's folder itself is named; a student with another assignment's is not."""
    touch(tmp_path / "a/cnn.ipynb", tmp_path / "b/b.zip", tmp_path / "c/mlp/mlp.ipynb", tmp_path / "z/cnn/cnn.ipynb")
    assert refusals(tmp_path) == [f"{name}/cnn is no folder; put the notebook into one." for name in "ab"] + [""]


def test_a_folder_that_may_not_be_read_is_refused_alone() -> None:
    """Its student is not left out, and the class goes on."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        touch(root / "anna/cnn/cnn.ipynb", root / "zofia/cnn/cnn.ipynb")
        (root / "anna").chmod(0)
        before = os.geteuid()
        try:
            os.seteuid(65534 if before == 0 else before)  # root may read anything
            assert refusals(root) == ["anna/cnn/cnn.ipynb cannot be read: Permission denied.", ""]
        finally:
            os.seteuid(before)
            (root / "anna").chmod(0o755)


def test_names_that_differ_in_case_are_found_where_there_is_one(tmp_path: Path) -> None:
    """CNN/CNN.IPYNB is a submission; of two such folders neither is guessed."""
    touch(tmp_path / "anna/CNN/Cnn.IPYNB", tmp_path / "ewa/CNN/cnn.ipynb", tmp_path / "ewa/Cnn/cnn.ipynb")
    touch(tmp_path / "zofia/cnn/cnn.ipynb", tmp_path / "zofia/CNN/cnn.ipynb")
    assert found(tmp_path) == ["anna/CNN/Cnn.IPYNB", "ewa/cnn/cnn.ipynb", "zofia/cnn/cnn.ipynb"]
    assert refusals(tmp_path) == ["", "ewa/cnn is no folder; put the notebook into one.", ""]


@pytest.mark.parametrize(
    "name",
    ["a\nb", "\x1b[2Jx", "\u202egnp", "-rf", "--out=x", "ą" * 120, "a\u0301", "á", "\udcff", "*", "[a]", " ", "%2e%2e"],
)
def test_students_with_the_oddest_names_are_found(tmp_path: Path, name: str) -> None:
    """Line breaks, terminal codes, backward text, options, globs, bytes that are no text."""
    touch(tmp_path / name / "cnn/cnn.ipynb")
    assert find_submissions(tmp_path, "cnn") == [tmp_path / name / "cnn/cnn.ipynb"]
    assert refusals(tmp_path) == [""]


def test_two_unicode_spellings_of_one_name_are_two_students(tmp_path: Path) -> None:
    """A file system that tells them apart gives both; none is graded in the other's place."""
    touch(
        tmp_path / "Jose\u0301/cnn/cnn.ipynb",
        tmp_path / "Jos\u00e9/cnn/cnn.ipynb",
        tmp_path / "jose\u0301/cnn/cnn.ipynb",
    )
    assert len(set(find_submissions(tmp_path, "cnn"))) == 3


def test_hidden_folders_are_nobodys(tmp_path: Path) -> None:
    """A folder such as .Trash is no student."""
    touch(tmp_path / "anna/cnn/cnn.ipynb", tmp_path / ".Trash/cnn/cnn.ipynb")
    assert found(tmp_path) == ["anna/cnn/cnn.ipynb"]


def test_a_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    """The sentence says what to give instead."""
    with pytest.raises(NothingToGradeError, match="nowhere does not exist; give a notebook or a folder"):
        find_submissions(tmp_path / "nowhere", "cnn")


def test_a_name_no_file_system_takes_is_one_sentence(tmp_path: Path) -> None:
    """A path of ten thousand letters is refused like any other mistake."""
    with pytest.raises(NothingToGradeError, match="cannot be read: File name too long"):
        find_submissions(tmp_path / ("a" * 10_000), "cnn")


def test_a_folder_without_submissions_says_how_one_is_laid_out(tmp_path: Path) -> None:
    """The sentence shows the layout."""
    (tmp_path / "anna/cnn").mkdir(parents=True)
    with pytest.raises(NothingToGradeError, match=r"laid out as <student>/cnn/cnn\.ipynb"):
        find_submissions(tmp_path, "cnn")


@pytest.mark.parametrize("below", ["", "anna", "anna/cnn", "anna/cnn/evidence"])
def test_evidence_is_found_from_any_folder_of_its_layout(tmp_path: Path, below: str) -> None:
    """graded/, a student's folder, an assignment's, the evidence itself: the student's assignment folder."""
    touch(tmp_path / "anna/cnn/evidence/evidence.json")
    assert find_evidence(tmp_path / below) == [tmp_path / "anna/cnn"]


def test_no_evidence_is_one_sentence(tmp_path: Path) -> None:
    """A folder beside evidence is not taken for the evidence; the sentence says what writes it."""
    touch(tmp_path / "anna/cnn/evidence/evidence.json")
    (tmp_path / "anna/cnn/other").mkdir()
    with pytest.raises(NothingToGradeError, match="holds no evidence; `splot grade` writes it"):
        find_evidence(tmp_path / "anna/cnn/other")


def sentences(path: Path, out: Path | None = None) -> list[str]:
    """Return the sentences on what is not taken at `path`, as paths from there."""
    return [
        sentence.replace(f"{path}/", "") for sentence in left_out(path, "cnn", find_submissions(path, "cnn", out), out)
    ]


def test_what_is_not_taken_is_told(tmp_path: Path) -> None:
    """A name with a dot, work beside the folders, a link to nowhere, a second notebook, a folder too deep: a line each."""
    touch(tmp_path / "z/cnn/cnn.ipynb", tmp_path / "z/cnn/cnn (1).ipynb", tmp_path / ".anna/cnn/cnn.ipynb")
    touch(tmp_path / "ola.ipynb", tmp_path / "jan.zip", tmp_path / "e/projekt/cnn/cnn.ipynb")
    (tmp_path / "b").symlink_to("nowhere")
    assert sentences(tmp_path) == [
        "z/cnn/cnn.ipynb is graded, and cnn (1).ipynb beside it is not.",
        ".anna is not graded: its name begins with a dot, as hidden folders' do; rename it.",
        "b is not graded: it is a link that leads nowhere.",
        "e is not graded: its folder projekt/cnn lies too deep; move it up.",
        "jan.zip is not graded: it lies beside the students' folders, not in one.",
        "ola.ipynb is not graded: it lies beside the students' folders, not in one.",
    ]


def test_what_is_nobodys_work_is_not_told(tmp_path: Path) -> None:
    """Jupyter's copies, version control, an editor's lock, another assignment, notes, our own results: no word."""
    touch(
        tmp_path / "z/cnn/cnn.ipynb", tmp_path / "z/cnn/.ipynb_checkpoints/cnn-checkpoint.ipynb", tmp_path / ".git/HEAD"
    )
    touch(tmp_path / ".ipynb_checkpoints/cnn-checkpoint.ipynb", tmp_path / "c/mlp/mlp.ipynb", tmp_path / "notes.txt")
    touch(tmp_path / "graded/z/cnn/report.json", tmp_path / "graded/z/cnn/evidence/notebook.ipynb")
    (tmp_path / ".#lock").symlink_to("me@host.1")
    assert sentences(tmp_path, tmp_path / "graded") == []
    assert sentences(tmp_path / "z") == []


def test_where_all_is_left_out_the_refusal_says_why(tmp_path: Path) -> None:
    """A class of which nobody can be taken is told more than how folders are laid out."""
    touch(tmp_path / ".anna/cnn/cnn.ipynb")
    with pytest.raises(NothingToGradeError, match=r"\.anna is not graded: its name begins with a dot"):
        find_submissions(tmp_path, "cnn")


def test_our_own_results_are_no_submission(tmp_path: Path) -> None:
    """`graded/` beside the submissions is passed over, even where a student of the assignment's name has a report in it."""
    touch(tmp_path / "cnn.ipynb", tmp_path / "graded/cnn/cnn/report.json")
    assert find_submissions(tmp_path, "cnn", tmp_path / "graded") == [tmp_path / "cnn.ipynb"]
    touch(tmp_path / "anna/cnn/cnn.ipynb")
    assert find_submissions(tmp_path, "cnn", tmp_path / "anna/../graded") == [tmp_path / "anna/cnn/cnn.ipynb"]
