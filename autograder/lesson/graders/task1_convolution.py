"""Task 1: `convolution` against the reference, its own implementation, and the two bonus cells."""

import pytest

from autograder.engine.outcomes import UndecidedError
from autograder.engine.text import say
from autograder.lesson.graders.convolutions import (
    AGAIN,
    CELL,
    MATRIX,
    MATRIX_LARGE,
    MATRIX_OTHER,
    MATRIX_SMALL,
    RANDOM,
    SAME,
    SAME_ODD,
    SHAPES,
    SHEET,
    Answers,
    close,
    mistake,
)
from autograder.lesson.graders.own_code import library_convolutions
from autograder.lesson.observations import CallProbe, LessonEvidence
from reference.convolution import convolution, convolution_same

PROBES = (*SHEET, *RANDOM, AGAIN, *SHAPES, MATRIX_SMALL, MATRIX_LARGE, MATRIX_OTHER, *SAME_ODD)
UNWATCHING = {"sys.setprofile", "sys.settrace"}


@pytest.fixture(scope="module")
def answers(evidence: LessonEvidence) -> Answers:
    """What `convolution` returned."""
    return Answers(evidence, (*SHEET, *RANDOM, AGAIN, *SHAPES), "task1_convolution", convolution)


def equal(answers: Answers, probes: tuple[CallProbe, ...]) -> None:
    """Fail at the first probe with a wrong answer, naming the mistake."""
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
    again = answers.get(AGAIN.name)
    assert close(again, convolution(again.X, again.K, again.q)), say(
        pl="Dla drugiego obrazu tego samego rozmiaru wynik jest błędny, choć dla pierwszego był dobry. Czy funkcja nie pamięta "
        "czegoś między wywołaniami, np. w zmiennej globalnej albo w argumencie domyślnym?",
        en="For a second image of the same size the result is wrong, though it was right for the first. Does the function keep "
        "something between calls, in a global variable or a default argument, say?",
    )


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
    assert all(record.inputs_kept is not False for record in answers.records()), say(
        pl="Funkcja zmienia X lub K: pracuj na kopii, bo ten sam obraz może być jeszcze potrzebny.",
        en="The function changes X or K: work on a copy, since the same image may be needed again.",
    )
    works(answers)


@pytest.mark.cell(CELL, weight=1, pl="Własna implementacja", en="An implementation of one's own")
def test_own_implementation(answers: Answers) -> None:
    works(answers)
    own(answers, "convolution")


def works(answers: Answers) -> None:
    """Fail unless the random inputs give right results: the implementation counts only if it works.

    In the assignment's own kernels all positions have the same values, so a rotated kernel passes its cases.
    """
    assert answers.right("real"), say(
        pl="Ta część liczy się dopiero wtedy, gdy funkcja zwraca poprawny wynik.",
        en="This part counts only once the function returns the right result.",
    )


@pytest.fixture(scope="module")
def matrix(evidence: LessonEvidence) -> Answers:
    """What `convolution_matrix` returned."""
    return Answers(evidence, (MATRIX_SMALL, MATRIX_LARGE, MATRIX_OTHER), "task1_matrix", convolution)


@pytest.mark.cell(
    MATRIX, weight=1, pl="Wynik jak z konwolucji, bez pętli po pikselach", en="Equal to the convolution, no loop"
)
def test_matrix(matrix: Answers) -> None:
    equal(matrix, (MATRIX_SMALL, MATRIX_LARGE, MATRIX_OTHER))
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
    """Fail if a function calls a library convolution; undecided if part of the call could not be observed."""
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
