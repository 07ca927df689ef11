"""Finds the notebooks to grade: one file, or the folders submitted/<student>/<assignment>/.

Submissions and results are kept separate: a student's file must never be taken for a grader's result.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from autograder.engine.errors import SplotError, SubmissionError
from autograder.engine.notebook.reading import refused
from autograder.engine.text import printable

ARCHIVE_SUFFIXES = {".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz", ".zip"}
CHECKPOINTS = ".ipynb_checkpoints"
"""Where Jupyter keeps copies of its own."""


class NothingToGradeError(SplotError):
    """The path given holds nothing to grade."""


def find_submissions(path: Path, assignment: str, out: Path | None = None) -> list[Path]:
    """Return the notebooks to grade at `path`, sorted; raises `NothingToGradeError` where there are none.

    A student of a class whose notebook cannot be determined is not left out: the path that should be there is returned,
    and `require_own` says what is wrong. Who has nothing of this assignment has not submitted it. The folder `out` of
    our own results is no student's; `left_out` says what else is not taken.
    """
    try:
        if not path.exists():
            raise NothingToGradeError(
                f"{path} does not exist; give a notebook or a folder submitted/<student>/{assignment}/."
            )
        if not path.is_dir():
            return [path]
        found = [_notebook(folder, assignment) for folder in _folders(path, assignment, out)]
    except OSError as error:
        raise NothingToGradeError(f"{path} cannot be read: {error.strerror}.") from error
    if not any(os.path.lexists(notebook) for notebook in found):
        why = "".join(f" {sentence}" for sentence in left_out(path, assignment, [], out)[:3])
        raise NothingToGradeError(
            f"{path} holds no submission; a class's folder is laid out as <student>/{assignment}/{assignment}.ipynb.{why}"
        )
    return found


def left_out(path: Path, assignment: str, found: list[Path], out: Path | None = None) -> list[str]:
    """Return one sentence for each file at `path` that looks like a submission but is not in `found`."""
    if not path.is_dir():
        return []
    sentences = [
        f"{notebook} is graded, and {other.name} beside it is not."
        for notebook in found
        for other in _notebooks(notebook.parent)
        if other != notebook and notebook.exists()
    ]
    taken = {notebook.parent.parent for notebook in found}
    if path in taken or any(notebook.parent == path for notebook in found):
        return sentences
    others = [
        entry for entry in sorted(path.iterdir()) if entry not in taken and not _is_results(entry, assignment, out)
    ]
    reasons = {entry: _why_left_out(entry, assignment) for entry in others}
    return sentences + [f"{entry} is not graded: {reason}." for entry, reason in reasons.items() if reason]


def _why_left_out(entry: Path, assignment: str) -> str:
    """Return why an entry next to the students' folders is not graded; empty if it is no notebook or archive."""
    hidden = entry.name.startswith(".")
    if not entry.is_dir():
        if entry.is_symlink() and not hidden and not entry.exists():
            return "it is a link that leads nowhere"
        is_work = entry.suffix.lower() in {".ipynb", *ARCHIVE_SUFFIXES} and not hidden
        return "it lies beside the students' folders, not in one" if is_work else ""
    if hidden:
        holds = entry.name != CHECKPOINTS and (_has_work(entry) or _assignment_folder(entry, assignment) is not None)
        return "its name begins with a dot, as hidden folders' do; rename it" if holds else ""
    deeper = next((folder for folder in sorted(entry.glob("*/*")) if _is_named(folder, assignment)), None)
    return f"its folder {deeper.relative_to(entry)} lies too deep; move it up" if deeper is not None else ""


def require_own(path: Path, assignment: str) -> None:
    """Raise `SubmissionError` if a path of `find_submissions` does not exist or one of its folders is a link."""
    folder = path.parent
    if not _is_named(folder, assignment):
        return
    try:
        for above in (folder, folder.parent):
            if above.is_symlink():
                raise refused(above, "jest dowiązaniem; oddaj właściwy folder", "is a link; submit the folder itself")
        if not folder.is_dir():
            raise refused(
                folder, "nie jest folderem; włóż notebook do folderu", "is no folder; put the notebook into one"
            )
        if not os.path.lexists(path):
            raise _without_notebook(folder, assignment)
    except OSError as error:
        why = error.strerror
        raise refused(path, f"nie daje się odczytać ({why})", f"cannot be read: {why}") from error


def _without_notebook(folder: Path, assignment: str) -> SubmissionError:
    """Return the error for a folder without the notebook; it names what is there instead."""
    several = [printable(path.name, 60) for path in _notebooks(folder)]
    if several:
        names = ", ".join(several[:10])
        return refused(
            folder,
            f"zawiera kilka notebooków ({names}), a żaden nie nazywa się {assignment}.ipynb; zostaw jeden",
            f"holds several notebooks, none of them named {assignment}.ipynb: {names}; leave one",
        )
    if any(path.suffix.lower() in ARCHIVE_SUFFIXES for path in folder.iterdir()):
        return refused(
            folder, "zawiera archiwum zamiast notebooka; rozpakuj je", "holds an archive and no notebook; unpack it"
        )
    below = next((path for path in sorted(folder.glob("*/*.ipynb")) if not path.parent.name.startswith(".")), None)
    if below is not None:
        name = printable(str(below.relative_to(folder)), 120)
        return refused(
            folder,
            f"zawiera notebook dopiero w podfolderze ({name}); przenieś go wyżej",
            f"holds a notebook only further down ({name}); move it up",
        )
    return refused(folder, "nie zawiera notebooka", "holds no notebook")


def _folders(path: Path, assignment: str, out: Path | None) -> list[Path]:
    """Return the folder itself where it is an assignment's, else each student's of a class, else the one student's."""
    if _is_named(path, assignment) and _notebooks(path):
        return [path]
    students = [folder for folder in sorted(path.glob("*")) if not folder.name.startswith(".") and folder.is_dir()]
    students = [folder for folder in students if not _is_results(folder, assignment, out)]
    found = {student: _assignment_folder(student, assignment) for student in students}
    if any(found.values()):  # a class: a student whose notebook is next to that folder has submitted it too
        return [folder or student / assignment for student, folder in found.items() if folder or _has_work(student)]
    return [_assignment_folder(path, assignment) or path]


def _is_results(folder: Path, assignment: str, out: Path | None) -> bool:
    """Whether a folder is that of our own results; one that holds a submission too is for `refuse_overlap` to see."""
    if out is None or not out.exists() or not folder.exists() or not folder.samefile(out):
        return False
    inner = _assignment_folder(folder, assignment)
    return inner is None or not _notebooks(inner)


def _assignment_folder(student: Path, assignment: str) -> Path | None:
    """Return a student's folder of this assignment; one that differs in case is taken where it is the only one."""
    named = student / assignment
    if os.path.lexists(named):
        return named
    alike = [folder for folder in student.glob("*") if _is_named(folder, assignment)]
    return alike[0] if len(alike) == 1 else named if alike else None


def _has_work(student: Path) -> bool:
    """Whether a student's folder holds a notebook or an archive directly, or cannot be listed."""
    if not os.access(student, os.R_OK | os.X_OK, effective_ids=True):
        return True
    return bool(_notebooks(student)) or any(path.suffix.lower() in ARCHIVE_SUFFIXES for path in student.glob("*"))


def _is_named(folder: Path, assignment: str) -> bool:
    return folder.name.casefold() == assignment.casefold()


def _notebook(folder: Path, assignment: str) -> Path:
    """Return the assignment's notebook in a folder; one that is named otherwise is taken where it is the only one."""
    named = folder / f"{assignment}.ipynb"
    others = _notebooks(folder)
    return others[0] if named not in others and len(others) == 1 else named


def _notebooks(folder: Path) -> list[Path]:
    """Return a folder's notebooks, sorted; hidden files are an operating system's or an editor's, nobody's work.

    A folder that may not be read seems empty: `require_own` says so.
    """
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() == ".ipynb" and not path.is_dir()]
    except OSError:
        return []
    return sorted(path for path in found if not path.name.startswith("."))


def find_evidence(path: Path) -> list[Path]:
    """Return the students' folders at or below `path` that hold evidence, sorted."""
    above = [path.parent] if path.name == "evidence" else []
    candidates = [path, *above, *sorted(path.glob("*")), *sorted(path.glob("*/*"))]
    found = [folder for folder in candidates if (folder / "evidence" / "evidence.json").is_file()]
    if not found:
        raise NothingToGradeError(
            f"{path} holds no evidence; `splot grade` writes it to graded/<student>/<assignment>/."
        )
    return found


def find_reports(graded: Path, assignment: str) -> list[Path]:
    """Return the class's reports below `graded/`, by student; raises `NothingToGradeError` where there is none."""
    found = sorted(graded.glob(f"*/{assignment}/report.json"))
    if not found:
        raise NothingToGradeError(
            f"{graded} holds no reports; `splot grade` writes graded/<student>/{assignment}/report.json."
        )
    return found


def refuse_overlap(folders: Mapping[Path, Path], assignment: str, out: Path, *, of_class: bool) -> None:
    """Raise `SplotError` where results would lie in a submission, or a submission lies where results go.

    Links are followed, as the system will. A notebook in a folder <student>/<assignment>/ owns that folder, and in a
    class the student's too; another notebook owns only itself.

    Args:
        folders: where each notebook's results go, by the notebook's path.
        assignment: the assignment's name.
        out: the folder of all results.
        of_class: whether a folder <student>/ belongs to the student, not to who grades one notebook in it.

    """
    owned: dict[Path, Path] = {}
    for notebook in folders:
        folder = Path(os.path.abspath(notebook)).parent  # noqa: PTH100 - `..` must not lead out of a link
        places = [folder, folder.parent] if of_class else [folder]
        owned |= {_real(place): place for place in (places if _is_named(folder, assignment) else [notebook])}
    for target in (out, *folders.values()):
        real = _real(target)
        inside = next((owned[place] for place in (real, *real.parents) if place in owned), None)
        if inside is not None:
            raise SplotError(f"The output folder {out} lies in the submission {inside}; choose another --out.")
    for notebook in folders:
        if _real(out) in _real(notebook).parents:
            raise SplotError(f"{notebook} lies in the output folder {out}, where results go; choose another --out.")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
