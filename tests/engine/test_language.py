"""Polish by default, English on request, and Polish numerals agree with their nouns."""

import ast
from pathlib import Path

import pytest

import autograder
from autograder.engine.text import Lang, count, in_language, number, say


def test_polish_is_the_default_and_comes_back() -> None:
    """A block in English is over when it ends, also by an exception."""

    def fail() -> None:
        with in_language(Lang.EN):
            assert say(pl="tak", en="yes") == "yes"
            raise ValueError("over")

    with pytest.raises(ValueError, match="over"):
        fail()
    assert say(pl="tak", en="yes") == "tak"


@pytest.mark.parametrize(
    ("n", "text"),
    [
        *((n, f"{n} pikseli") for n in (0, 5, 11, 12, 13, 14, 21, 25, 100, 101, 111, 112, 114, 1012)),
        *((n, f"{n} piksele") for n in (2, 3, 4, 22, 34, 102, 124, 1002)),
        (1, "1 piksel"),
    ],
)
def test_a_noun_agrees_with_its_numeral(n: int, text: str) -> None:
    """1 piksel, 2 piksele, 5 pikseli, 12 pikseli, 22 piksele, as in Polish grammar."""
    assert count(n, "piksel", "piksele", "pikseli") == text


def test_decimals_are_written_as_the_language_writes_them() -> None:
    """A comma in Polish, a point in English."""
    assert number(0.8765) == "0,876"
    assert number(12.0, 1) == "12,0"
    with in_language(Lang.EN):
        assert number(0.8765) == "0.876"


SHOWN_TO_STUDENTS = {"EvidenceError", "SubmissionError", "UnknownTransformError"}


def test_every_reason_a_student_may_read_is_said_in_both_languages() -> None:
    """No refusal of evidence, of a notebook or of an image transform is English words in a Polish sentence."""
    folder = Path(autograder.__path__[0])
    english = [
        f"{path.name}:{node.lineno}"
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in SHOWN_TO_STUDENTS
        for argument in node.args[:1]
        for part in (argument.values if isinstance(argument, ast.JoinedStr) else [argument])
        if isinstance(part, ast.Constant) and any(letter.isalpha() for letter in str(part.value))
    ]
    assert english == []
