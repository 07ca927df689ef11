"""Task 1: `convolution` against the reference, its own implementation, and the two bonus cells."""

import pytest

from autograder.engine.outcomes import UndecidedError
from autograder.engine.text import say
from autograder.lesson.graders.convolutions import Answers, close, inputs, sheet
from autograder.lesson.graders.mistakes import mistake
from autograder.lesson.graders.own_code import library_convolutions
from autograder.lesson.observations import CallProbe, LessonEvidence
from reference.convolution import convolution, convolution_same

CELL = "task1_convolution_tests"
MATRIX = "task1_matrix_tests"
SAME = "task1_same_tests"

UNWATCHING = {"sys.setprofile", "sys.settrace"}

SHEET = tuple(
    CallProbe(CELL, name, "convolution", sheet(h, k, q))
    for name, h, k, q in (("sheet_1", 6, 3, 5), ("sheet_2", 12, 3, 5), ("sheet_3", 24, 1, 10))
)
RANDOM = (
    CallProbe(CELL, "real", "convolution", inputs(9, 9, 3, 3, 4)),
    CallProbe(CELL, "double", "convolution", inputs(8, 8, 3, 3, 2, "float64")),
)
SHAPES = (
    CallProbe(CELL, "not_square", "convolution", inputs(7, 11, 3, 3, 4)),
    CallProbe(CELL, "one_channel", "convolution", inputs(8, 8, 1, 3, 4)),
    CallProbe(CELL, "one_filter", "convolution", inputs(8, 8, 3, 3, 1)),
    CallProbe(CELL, "even_2", "convolution", inputs(6, 7, 2, 2, 3)),
    CallProbe(CELL, "even_4", "convolution", inputs(8, 7, 3, 4, 2)),
    CallProbe(CELL, "whole_image", "convolution", inputs(5, 5, 2, 5, 3)),
)
MATRIX_SMALL = CallProbe(MATRIX, "matrix_small", "convolution_matrix", inputs(8, 10, 3, 3, 4), steps=True)
MATRIX_LARGE = CallProbe(MATRIX, "matrix_large", "convolution_matrix", inputs(16, 18, 3, 3, 4), steps=True)
SAME_ODD = tuple(CallProbe(SAME, f"same_{k}", "convolution_same", inputs(7, 9, 3, k, 4)) for k in (1, 3, 5))

PROBES = (*SHEET, *RANDOM, *SHAPES, MATRIX_SMALL, MATRIX_LARGE, *SAME_ODD)


@pytest.fixture(scope="module")
def answers(evidence: LessonEvidence) -> Answers:
    """What `convolution` returned."""
    return Answers(evidence, (*SHEET, *RANDOM, *SHAPES), "task1_convolution", convolution)


def equal(answers: Answers, probes: tuple[CallProbe, ...]) -> None:
    """Fail with the mistake's name at the first probe answered wrong."""
    for probe in probes:
        answer = answers.get(probe.name)
        right = answers.expected(answer.X, answer.K, answer.q)
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
    pl="Inne kształty: obraz niekwadratowy, jeden kanał, jeden filtr, filtr o parzystym boku, filtr wielkości obrazu",
    en="Other shapes: not square, one channel, one filter, an even kernel, a kernel as large as the image",
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
def test_own_implementation(answers: Answers) -> None:
    works(answers)
    own(answers, "convolution")


def works(answers: Answers) -> None:
    """Fail unless random reals come out right: how it is done counts only where it is done.

    The sheet's own kernels are the same at every position, so a rotated one passes its cases.
    """
    assert answers.right("real"), say(
        pl="Ta część liczy się dopiero wtedy, gdy funkcja zwraca poprawny wynik.",
        en="This part counts only once the function returns the right result.",
    )


@pytest.fixture(scope="module")
def matrix(evidence: LessonEvidence) -> Answers:
    """What `convolution_matrix` returned."""
    return Answers(evidence, (MATRIX_SMALL, MATRIX_LARGE), "task1_matrix", convolution)


@pytest.mark.cell(
    MATRIX, weight=1, pl="Wynik jak z konwolucji, bez pętli po pikselach", en="Equal to the convolution, no loop"
)
def test_matrix(matrix: Answers) -> None:
    equal(matrix, (MATRIX_SMALL, MATRIX_LARGE))
    small, large = (matrix.get(probe.name).record for probe in (MATRIX_SMALL, MATRIX_LARGE))
    assert small.steps is not None and large.steps is not None and large.steps - small.steps < 16, say(  # noqa: PT018
        pl="Liczba kroków Pythona rośnie razem z obrazem, więc w funkcji jest pętla po pikselach lub wierszach. "
        "Zbierz wszystkie okna w jedną tablicę i pomnóż raz.",
        en="The number of Python steps grows with the image, so there is a loop over pixels or rows. "
        "Gather all windows in one array and multiply once.",
    )
    own(matrix, "convolution_matrix")


@pytest.fixture(scope="module")
def same(evidence: LessonEvidence) -> Answers:
    """What `convolution_same` returned."""
    return Answers(evidence, SAME_ODD, "task1_same", convolution_same)


@pytest.mark.cell(SAME, weight=1, pl="Wynik tak duży jak wejście", en="Output as large as the input")
def test_same(same: Answers) -> None:
    equal(same, SAME_ODD)
    own(same, "convolution_same")


def own(answers: Answers, function: str) -> None:
    """Fail where a function leaves the work to a library; leave it open where it went on unwatched."""
    records = answers.records()
    used = {name for record in records for name in record.reached}
    used |= library_convolutions(answers.evidence, next(iter(answers.probes.values())).cell, function)
    assert not used, say(
        pl=f"Funkcja korzysta z gotowej konwolucji ({', '.join(sorted(used))}). Zadanie prosi o własną: pętle, okna "
        "i mnożenie tensorów, np.fft albo unfold są w porządku.",
        en=f"The function uses a library convolution ({', '.join(sorted(used))}). The task asks for your own: loops, "
        "windows and tensor products, np.fft or unfold are fine.",
    )
    unseen = {name for record in records for name in record.unseen}
    assert not unseen & UNWATCHING, say(
        pl=f"Funkcja wyłącza śledzenie wykonania ({', '.join(sorted(unseen & UNWATCHING))}), więc nie widać, jak liczy. "
        "Usuń to wywołanie.",
        en=f"The function turns the interpreter's tracing off ({', '.join(sorted(unseen & UNWATCHING))}), so how it "
        "computes cannot be seen. Remove that call.",
    )
    if unseen:
        raise UndecidedError(
            say(
                pl=f"Funkcja przekazuje pracę poza proces notebooka albo do biblioteki systemowej ({', '.join(sorted(unseen))}), "
                "a tego, co się tam liczy, nie widać.",
                en=f"The function hands work to another process or a system library ({', '.join(sorted(unseen))}), and what "
                "is computed there cannot be seen.",
            )
        )
