"""Known mistakes of a convolution by name, and what to tell the student who made one."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from autograder.engine.text import say
from autograder.lesson.graders.convolutions import Answer, Float, wrong_values
from autograder.lesson.observations import Array
from reference.convolution import convolution

ROUGH = 0.01
"""Of the largest right value: so far off is what was computed in float16 or rounded."""


def mistake(answer: Answer, expected: Float) -> str:
    """Say what is wrong with an answer: by its known name, else by what it looks like."""
    if answer.returned is None:
        return _no_numbers(answer.record.returned)
    if answer.returned.shape != expected.shape:
        return _wrong_shape(answer, expected)
    return _wrong_values(answer, answer.returned, expected)


def _wrong_values(answer: Answer, returned: Array, expected: Float) -> str:
    given = returned.astype(np.float64)
    if not np.all(np.isfinite(given)):
        return say(
            pl="Wynik zawiera NaN lub nieskończoność: sprawdź, czy tablica wynikowa jest na początku wypełniona zerami.",
            en="The result holds NaN or infinity: check that the output array starts filled with zeros.",
        )
    if not given.any():
        return say(
            pl="Wynik to same zera: funkcja zwraca jeszcze wynik zastępczy albo nic nie zapisuje do tablicy wynikowej.",
            en="The result is all zeros: the function still returns the placeholder, or writes nothing to its output array.",
        )
    for known in MISTAKES:
        if _matches(known, answer, given):
            return known.message()
    wrong = wrong_values(given, expected)
    if np.all(np.abs(given - expected) <= ROUGH * np.abs(expected).max()):
        return say(
            pl=f"Wynik jest prawie dobry, ale za mało dokładny (błędnych wartości: {wrong.sum()} z {wrong.size}): "
            "licz na typie float32 lub float64 i nie zaokrąglaj.",
            en=f"The result is nearly right but not precise enough ({wrong.sum()} of {wrong.size} values are wrong): "
            "compute in float32 or float64 and do not round.",
        )
    return say(
        pl=f"Kształt {given.shape} się zgadza, ale błędnych wartości jest {wrong.sum()} z {wrong.size}. "
        "Policz ręcznie jeden element wyniku dla obrazu 3×3 i filtra 2×2.",
        en=f"The shape {given.shape} is right, but {wrong.sum()} of {wrong.size} values are wrong. "
        "Work out one entry by hand for a 3×3 image and a 2×2 kernel.",
    )


def _no_numbers(returned: str) -> str:
    complex_numbers = "complex" in returned
    return say(
        pl=f"Funkcja zwróciła {returned}, a powinna zwrócić tablicę NumPy lub tensor PyTorch z liczbami rzeczywistymi."
        + " Po transformacji Fouriera weź część rzeczywistą: `.real`." * complex_numbers,
        en=f"The function returned {returned}; it should return a NumPy array or torch tensor of real numbers."
        + " After a Fourier transform take the real part: `.real`." * complex_numbers,
    )


def _wrong_shape(answer: Answer, expected: Float) -> str:
    assert answer.returned is not None
    got, (h, w, d), k = answer.returned.shape, answer.X.shape, answer.K.shape[0]
    oh, ow, q = expected.shape
    head = say(
        pl=f"Dla X {answer.X.shape} i K {answer.K.shape} wynik ma kształt {got}.",
        en=f"For X {answer.X.shape} and K {answer.K.shape} the result has shape {got}.",
    )
    hints = {
        (q, oh, ow): say(pl="Oś filtrów powinna być ostatnia.", en="The filters' axis should come last."),
        (ow, oh, q): say(pl="Wysokość i szerokość są zamienione.", en="Height and width are swapped."),
        (oh, ow, d): say(
            pl="Ostatnia oś ma tyle elementów, ile jest kanałów, a powinna mieć tyle, ile filtrów (q).",
            en="The last axis has as many entries as channels; it should have as many as filters (q).",
        ),
        (oh, ow): say(pl="Brakuje osi filtrów.", en="The filters' axis is missing."),
        (oh, ow, d, q): say(
            pl="Kanały wejścia nie zostały zsumowane: we wzorze sumuje się także po d.",
            en="The input's channels were not summed: the formula sums over d as well.",
        ),
        (h, w, q): say(
            pl="To rozmiar wejścia: w tym zadaniu filtr nie wychodzi poza obraz (bez paddingu).",
            en="That is the input's size: in this task the kernel never leaves the image (no padding).",
        ),
    }
    off_by_one = {(oh + a, ow + b, q) for a in (-1, 0, 1) for b in (-1, 0, 1)}
    if got in hints:
        return f"{head} {hints[got]}"
    if got in off_by_one:
        return head + say(
            pl=f" Rozmiar różni się o jeden: ile położeń ma filtr o boku {k} na odcinku długości {h}?",
            en=f" The size is off by one: how many positions does a kernel of side {k} have on a length of {h}?",
        )
    return head + say(
        pl=" Porównaj go z rozmiarem, o który prosi zadanie.",
        en=" Compare it with the size that the task asks for.",
    )


@dataclass(frozen=True)
class Mistake:
    """A known wrong convolution, and what to tell the student who wrote it."""

    wrong: Callable[[Float, Float, int], Float]
    pl: str
    en: str

    def message(self) -> str:
        """The message in the language in force."""
        return say(pl=self.pl, en=self.en)


def _matches(known: Mistake, answer: Answer, given: Float) -> bool:
    try:
        wrong = known.wrong(answer.X, answer.K, answer.q)
    except ValueError:
        return False
    return wrong.shape == given.shape and not wrong_values(given, wrong).any()


def _without(X: Float, K: Float, q: int, *, row: bool = False, column: bool = False) -> Float:
    """Leave the last row or column of the right result at zero."""
    result: Float = np.array(convolution(X, K, q))
    if row:
        result[-1] = 0
    if column:
        result[:, -1] = 0
    return result


MISTAKES = (
    Mistake(
        lambda X, K, q: convolution(X, K[::-1, ::-1], q),
        "Filtr jest obrócony o 180°: wzór z części 1 to korelacja wzajemna, K(a, b) mnoży się przez I(i+a, j+b).",
        "The kernel is rotated by 180°: section 1's formula is cross-correlation, K(a, b) times I(i+a, j+b).",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K.transpose(1, 0, 2, 3), q),
        "W filtrze zamieniono wysokość z szerokością: pierwszy indeks filtra idzie w dół obrazu, drugi w prawo.",
        "The kernel's height and width are swapped: its first index goes down the image, its second to the right.",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K, q).transpose(1, 0, 2),
        "Wysokość i szerokość wyniku są zamienione: element (i, j) powstaje z okna, które zaczyna się w wierszu i, kolumnie j.",
        "The result's height and width are swapped: entry (i, j) comes from the window that starts at row i, column j.",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K.reshape(*K.shape[:2], q, -1).transpose(0, 1, 3, 2), q),
        "Osie kanałów i filtrów są zamienione: w K o wymiarach (k, k, d, q) ostatnia oś numeruje filtry.",
        "The channels' and filters' axes are mixed up: in K of shape (k, k, d, q) the last axis numbers the filters.",
    ),
    Mistake(
        lambda X, K, q: convolution(X[..., :1], K[:, :, :1], q),
        "Uwzględniono tylko pierwszy kanał obrazu: we wzorze sumuje się po wszystkich d.",
        "Only the image's first channel was used: the formula sums over all d.",
    ),
    Mistake(
        lambda X, K, q: convolution(X[..., -1:], K[:, :, -1:], q),
        "Został tylko ostatni kanał obrazu: wyniki kolejnych kanałów trzeba dodawać, a nie nadpisywać.",
        "Only the image's last channel is left: add each channel's result instead of overwriting it.",
    ),
    Mistake(
        lambda X, K, q: np.repeat(convolution(X, K[..., :1], 1), q, axis=2),
        "Wszystkie mapy są takie same jak pierwsza: każdy filtr q ma własne wagi K[:, :, :, q].",
        "All maps equal the first: each filter q has weights of its own, K[:, :, :, q].",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K, q) / X.shape[2],
        "Wynik jest średnią po kanałach, a wzór każe je zsumować.",
        "The result is the mean over channels; the formula sums them.",
    ),
    Mistake(
        lambda X, K, q: np.trunc(convolution(X, K, q)),
        "Wynik jest obcięty do liczb całkowitych: utwórz tablicę wynikową z typem zmiennoprzecinkowym.",
        "The result is truncated to integers: create the output array with a floating-point type.",
    ),
    Mistake(
        lambda X, K, q: np.round(convolution(X, K, q)),
        "Wynik jest zaokrąglony do liczb całkowitych: utwórz tablicę wynikową z typem zmiennoprzecinkowym.",
        "The result is rounded to integers: create the output array with a floating-point type.",
    ),
    Mistake(
        lambda X, K, q: _without(X, K, q, row=True),
        "Brakuje ostatniego wiersza wyniku: sprawdź górną granicę pętli po wierszach.",
        "The result's last row is missing: check the upper bound of the loop over rows.",
    ),
    Mistake(
        lambda X, K, q: _without(X, K, q, column=True),
        "Brakuje ostatniej kolumny wyniku: sprawdź górną granicę pętli po kolumnach.",
        "The result's last column is missing: check the upper bound of the loop over columns.",
    ),
    Mistake(
        lambda X, K, q: _without(X, K, q, row=True, column=True),
        "Brakuje ostatniego wiersza i ostatniej kolumny wyniku: sprawdź górne granice pętli.",
        "The result's last row and column are missing: check the upper bounds of the loops.",
    ),
)
