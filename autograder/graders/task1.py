"""Task 1: `convolution` against the reference, its own implementation, and the two bonus cells."""

from collections.abc import Callable
from typing import Any

import pytest

from autograder.evidence.probes import CallProbe
from autograder.evidence.reader import Evidence
from autograder.graders.convolutions import Answers, close, inputs, sheet
from autograder.graders.mistakes import mistake
from autograder.graders.own_code import library_convolutions
from autograder.language import say
from reference.convolution import convolution, convolution_same

CELL = "task1_convolution_tests"
MATRIX = "task1_matrix_tests"
SAME = "task1_same_tests"

SHEET = tuple(
    CallProbe(CELL, name, "convolution", sheet(h, k, q))
    for name, h, k, q in (("sheet_1", 6, 3, 5), ("sheet_2", 12, 3, 5), ("sheet_3", 24, 1, 10))
)
RANDOM = (
    CallProbe(CELL, "real", "convolution", inputs(9, 9, 3, 3, 4), observe=True),
    CallProbe(CELL, "double", "convolution", inputs(8, 8, 3, 3, 2, "float64")),
)
SHAPES = (
    CallProbe(CELL, "not_square", "convolution", inputs(7, 11, 3, 3, 4)),
    CallProbe(CELL, "one_channel", "convolution", inputs(8, 8, 1, 3, 4)),
    CallProbe(CELL, "one_filter", "convolution", inputs(8, 8, 3, 3, 1)),
    CallProbe(CELL, "whole_image", "convolution", inputs(5, 5, 2, 5, 3)),
)
MATRIX_SMALL = CallProbe(MATRIX, "matrix_small", "convolution_matrix", inputs(10, 12, 3, 3, 4), observe=True)
MATRIX_LARGE = CallProbe(MATRIX, "matrix_large", "convolution_matrix", inputs(26, 30, 3, 3, 4), observe=True)
SAME_ODD = tuple(
    CallProbe(SAME, f"same_{k}", "convolution_same", inputs(7, 9, 3, k, 4), observe=k == 3) for k in (1, 3, 5)
)

PROBES = (*SHEET, *RANDOM, *SHAPES, MATRIX_SMALL, MATRIX_LARGE, *SAME_ODD)


@pytest.fixture(scope="module")
def answers(evidence: Evidence) -> Answers:
    """What `convolution` returned."""
    return Answers(evidence, (*SHEET, *RANDOM, *SHAPES), "task1_convolution")


def equal(answers: Answers, probes: tuple[CallProbe, ...], expected: Callable[..., Any] = convolution) -> None:
    """Fail with the mistake's name at the first probe answered wrong."""
    for probe in probes:
        answer = answers.get(probe.name)
        right = expected(answer.X, answer.K, answer.q)
        assert close(answer, right), mistake(answer, right)


@pytest.mark.cell(CELL, weight=1, pl="Trzy przypadki z treści zadania", en="The task's three cases")
def test_sheet(answers: Answers) -> None:
    equal(answers, SHEET)


@pytest.mark.cell(CELL, weight=1, pl="Losowe liczby rzeczywiste, także float64", en="Random reals, float64 too")
def test_random(answers: Answers) -> None:
    equal(answers, RANDOM)


@pytest.mark.cell(
    CELL,
    weight=0.75,
    pl="Inne kształty: obraz niekwadratowy, jeden kanał, jeden filtr, filtr wielkości obrazu",
    en="Other shapes: not square, one channel, one filter, a kernel as large as the image",
)
def test_shapes(answers: Answers) -> None:
    equal(answers, SHAPES)


@pytest.mark.cell(CELL, weight=0.25, pl="Dane wejściowe pozostają bez zmian", en="The inputs are left unchanged")
def test_inputs_kept(answers: Answers) -> None:
    works(answers)
    assert all(answers.get(probe.name).record.inputs_kept for probe in RANDOM), say(
        pl="Funkcja zmienia X lub K: pracuj na kopii, bo ten sam obraz może być jeszcze potrzebny.",
        en="The function changes X or K: work on a copy, since the same image may be needed again.",
    )


@pytest.mark.cell(CELL, weight=1, pl="Własna implementacja", en="An implementation of one's own")
def test_own_implementation(answers: Answers, evidence: Evidence) -> None:
    works(answers)
    used = library_convolutions(evidence, "convolution", answers.get("real").record.reached)
    assert not used, say(
        pl=f"Funkcja korzysta z gotowej konwolucji ({', '.join(used)}). Zadanie prosi o własną: pętle, okna "
        "i mnożenie tensorów, np.fft albo unfold są w porządku.",
        en=f"The function uses a library convolution ({', '.join(used)}). The task asks for your own: loops, windows "
        "and tensor products, np.fft or unfold are fine.",
    )


def works(answers: Answers) -> None:
    """Fail unless random reals come out right: how it is done counts only where it is done.

    The sheet's own kernels are the same at every position, so a rotated one passes its cases.
    """
    assert answers.right("real", convolution), say(
        pl="Ta część liczy się dopiero wtedy, gdy funkcja zwraca poprawny wynik.",
        en="This part counts only once the function returns the right result.",
    )


@pytest.fixture(scope="module")
def matrix(evidence: Evidence) -> Answers:
    """What `convolution_matrix` returned."""
    return Answers(evidence, (MATRIX_SMALL, MATRIX_LARGE), "task1_matrix")


@pytest.mark.cell(
    MATRIX, weight=1, pl="Wynik jak z konwolucji, bez pętli po pikselach", en="Equal to the convolution, no loop"
)
def test_matrix(matrix: Answers, evidence: Evidence) -> None:
    equal(matrix, (MATRIX_SMALL, MATRIX_LARGE))
    small, large = (matrix.get(probe.name).record for probe in (MATRIX_SMALL, MATRIX_LARGE))
    assert small.steps is not None and large.steps is not None and large.steps - small.steps < 16, say(  # noqa: PT018
        pl="Liczba kroków Pythona rośnie razem z obrazem, więc w funkcji jest pętla po pikselach lub wierszach. "
        "Zbierz wszystkie okna w jedną tablicę i pomnóż raz.",
        en="The number of Python steps grows with the image, so there is a loop over pixels or rows. "
        "Gather all windows in one array and multiply once.",
    )
    own(evidence, "convolution_matrix", small.reached)


@pytest.fixture(scope="module")
def same(evidence: Evidence) -> Answers:
    """What `convolution_same` returned."""
    return Answers(evidence, SAME_ODD, "task1_same")


@pytest.mark.cell(SAME, weight=1, pl="Wynik tak duży jak wejście", en="Output as large as the input")
def test_same(same: Answers, evidence: Evidence) -> None:
    equal(same, SAME_ODD, convolution_same)
    own(evidence, "convolution_same", same.get("same_3").record.reached)


def own(evidence: Evidence, function: str, reached: tuple[str, ...]) -> None:
    """Fail where a bonus function leaves the work to a library convolution."""
    used = library_convolutions(evidence, function, reached)
    assert not used, say(
        pl=f"Funkcja korzysta z gotowej konwolucji ({', '.join(used)}), a dodatkowe punkty są za własną.",
        en=f"The function uses a library convolution ({', '.join(used)}); the bonus is for your own.",
    )
