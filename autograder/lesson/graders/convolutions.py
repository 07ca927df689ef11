"""Task 1's probes, the student's answers to them, and the known mistakes; shared by checks and pictures."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence import Fault, generator
from autograder.engine.outcomes import AbsentError, UndecidedError, absent
from autograder.engine.text import say
from autograder.lesson.observations import Arguments, Array, CallProbe, CallRecord, Flavour, LessonEvidence, call_array
from reference.convolution import convolution

Float = NDArray[np.float64]
Expected = Callable[[Float, Float, int], Float]
Draw = Callable[[np.random.Generator], Arguments]


def _normal(h: int, w: int, d: int, k: int, q: int, dtype: str = "float32") -> Draw:
    """Draw X (h, w, d) and K (k, k, d, q) from a normal distribution."""
    return lambda rng: (rng.normal(size=(h, w, d)).astype(dtype), rng.normal(size=(k, k, d, q)).astype(dtype), q)


def _sheet(h: int, k: int, q: int) -> Draw:
    """Make the inputs given in the assignment: X counts modulo 5, K modulo 3 from −1."""
    X = np.arange(h * h * 3, dtype=np.float32).reshape(h, h, 3) % 5
    K = np.arange(k * k * 3 * q, dtype=np.float32).reshape(k, k, 3, q) % 3 - 1
    return lambda _: (X, K, q)


CELL = "task1_convolution_tests"
MATRIX = "task1_matrix_tests"
SAME = "task1_same_tests"
SHEET = tuple(
    CallProbe(CELL, name, "convolution", _sheet(h, k, q))
    for name, h, k, q in (("sheet_1", 6, 3, 5), ("sheet_2", 12, 3, 5), ("sheet_3", 24, 1, 10))
)
RANDOM = (
    CallProbe(CELL, "real", "convolution", _normal(9, 9, 3, 3, 4)),
    CallProbe(CELL, "double", "convolution", _normal(8, 8, 3, 3, 2, "float64")),
)
AGAIN = CallProbe(CELL, "again", "convolution", _normal(9, 9, 3, 3, 4))
"""Another image of the size of "real": a function that keeps something between calls fails at the second one."""
SHAPES = (
    CallProbe(CELL, "not_square", "convolution", _normal(7, 11, 3, 3, 4)),
    CallProbe(CELL, "one_channel", "convolution", _normal(8, 8, 1, 3, 4)),
    CallProbe(CELL, "one_filter", "convolution", _normal(8, 8, 3, 3, 1)),
    CallProbe(CELL, "even_2", "convolution", _normal(6, 7, 2, 2, 3)),
    CallProbe(CELL, "even_4", "convolution", _normal(8, 7, 3, 4, 2)),
    CallProbe(CELL, "whole_image", "convolution", _normal(5, 5, 2, 5, 3)),
)
MATRIX_SMALL = CallProbe(MATRIX, "matrix_small", "convolution_matrix", _normal(8, 10, 3, 3, 4), steps=True)
MATRIX_LARGE = CallProbe(MATRIX, "matrix_large", "convolution_matrix", _normal(16, 18, 3, 3, 4), steps=True)
MATRIX_OTHER = CallProbe(MATRIX, "matrix_other", "convolution_matrix", _normal(9, 7, 2, 4, 3), steps=True)
SAME_ODD = tuple(
    CallProbe(SAME, f"same_{k}", "convolution_same", _normal(7, 9, d, k, q))
    for k, d, q in ((1, 3, 4), (3, 3, 4), (5, 2, 3))
)


def arguments(evidence: LessonEvidence, probe: CallProbe) -> tuple[Array, Array, int]:
    """Compute a probe's inputs again, from the submission's seed."""
    X, K, q = probe.draw(generator(evidence.file.seed, f"{probe.cell}/{probe.name}"))
    assert isinstance(X, np.ndarray)
    assert isinstance(K, np.ndarray)
    assert isinstance(q, int)
    return X, K, q


@dataclass(frozen=True)
class CallAnswer:
    """What one call returned, beside the inputs it was given."""

    record: CallRecord
    X: Float
    K: Float
    q: int
    returned: Array | None


class Answers:
    """A function's answers with NumPy arrays or torch tensors, whichever has more right answers."""

    def __init__(
        self, evidence: LessonEvidence, probes: tuple[CallProbe, ...], solution: str, expected: Expected
    ) -> None:
        self.evidence = evidence
        self.probes = {probe.name: probe for probe in probes}
        self.solution = solution
        self.expected = expected
        self.flavour = Flavour.NUMPY
        self.flavour = max(Flavour, key=self._successes)

    def _successes(self, flavour: Flavour) -> tuple[int, int, int]:
        """Return the number of right answers, the number of arrays, and the sum of the failed calls' line numbers.

        Torch's methods fail on the first NumPy array: a student who wrote for tensors should see the error
        that occurs with tensors.
        """
        self.flavour = flavour
        made = [record for record in self.records() if record.flavour is flavour]
        lines = sum(record.failure.line or 0 for record in made if record.failure is not None)
        return sum(map(self.right, self.probes)), sum(record.array for record in made), lines

    def get(self, name: str) -> CallAnswer:
        """Return the answer to one probe; raises `AbsentError` where the function is missing or raised."""
        probe = self.probes[name]
        record = self.evidence.call(probe.cell, name, self.flavour)
        X, K, q = arguments(self.evidence, probe)
        if record is None or record.failure is not None:
            taken = record or self.evidence.probed.get(probe.cell)
            failure = taken.failure if taken else None
            shapes = f" [X {X.shape}, K {K.shape}]" if record and failure and failure.fault is not Fault.MISSING else ""
            raise absent(self.evidence, failure, f"{probe.function}(X, K, q){shapes}", self.solution)
        returned = self.evidence.array(*call_array(probe.cell, record).split("/")) if record.array else None
        return CallAnswer(record, X.astype(np.float64), K.astype(np.float64), q, returned)

    def records(self) -> list[CallRecord]:
        """Return the records of all calls, with both array types."""
        found = (self.evidence.call(p.cell, p.name, flavour) for p in self.probes.values() for flavour in Flavour)
        return [record for record in found if record is not None]

    def right(self, name: str) -> bool:
        """Whether the answer to one probe equals what is expected."""
        try:
            answer = self.get(name)
        except (AbsentError, EvidenceError, UndecidedError):  # the check of it says why
            return False
        return close(answer, self.expected(answer.X, answer.K, answer.q))


def close(answer: CallAnswer, expected: Float) -> bool:
    """Whether an answer has the right shape and no wrong value."""
    if answer.returned is None or answer.returned.shape != expected.shape:
        return False
    return not _wrong_values(answer.returned.astype(np.float64), expected).any()


def _wrong_values(given: Float, expected: Float) -> NDArray[np.bool_]:
    """Mark the values that are off by more than the tolerance, and those that are no numbers."""
    with np.errstate(invalid="ignore", over="ignore"):
        wrong: NDArray[np.bool_] = ~(np.abs(given - expected) <= tolerance(expected))
    return wrong


def tolerance(expected: Float) -> float:
    """Return how far a value may be off and still count as equal: 1e-5 · max|expected| + 1e-6, whatever the dtype.

    Float64 inputs ask no more: whether a student computes in float32 inside cannot be seen.
    """
    return 1e-5 * float(np.abs(expected).max()) + 1e-6


# Mistakes


ROUGH = 0.01  # of the largest right value: errors of this size come from float16 or rounding


def mistake(answer: CallAnswer, expected: Float) -> str:
    """Say what is wrong with an answer: by its known name, else by what it looks like."""
    if answer.returned is None:
        returned, complex_numbers = answer.record.returned, "complex" in answer.record.returned
        return say(
            pl=f"Funkcja zwróciła {returned}, a powinna zwrócić tablicę NumPy lub tensor PyTorch z liczbami rzeczywistymi."
            + " Po transformacji Fouriera weź część rzeczywistą: `.real`." * complex_numbers,
            en=f"The function returned {returned}; it should return a NumPy array or torch tensor of real numbers."
            + " After a Fourier transform take the real part: `.real`." * complex_numbers,
        )
    given = answer.returned.astype(np.float64)
    if given.shape != expected.shape:
        return _wrong_shape(answer, given.shape, expected.shape)
    return _wrong_numbers(answer, given, expected)


def _wrong_numbers(answer: CallAnswer, given: Float, expected: Float) -> str:
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
        if known.explains(_padded(answer, expected), given):
            return say(pl=known.pl, en=known.en)
    wrong = _wrong_values(given, expected)
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


def _padded(answer: CallAnswer, expected: Float) -> CallAnswer:
    """Return the answer as one for the padded image, of which the expected result is the plain convolution."""
    p = (expected.shape[0] - answer.X.shape[0] + answer.K.shape[0] - 1) // 2
    return replace(answer, X=np.pad(answer.X, ((p, p), (p, p), (0, 0))))


def _wrong_shape(answer: CallAnswer, got: tuple[int, ...], expected: tuple[int, ...]) -> str:
    (h, w, d), k, (oh, ow, q) = answer.X.shape, answer.K.shape[0], expected
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
        pl, en = (
            f"ile położeń ma filtr o boku {k} na odcinku długości {h}?",
            f"how many positions does a kernel of side {k} have on a length of {h}?",
        )
        if oh > h - k + 1:
            pl, en = (
                f"ile zer trzeba dodać z każdej strony dla filtra o boku {k}?",
                f"how many zeros does each side need for a kernel of side {k}?",
            )
        return head + say(pl=f" Rozmiar różni się o jeden: {pl}", en=f" The size is off by one: {en}")
    return head + say(
        pl=" Porównaj go z rozmiarem, o który prosi zadanie.",
        en=" Compare it with the size that the task asks for.",
    )


@dataclass(frozen=True)
class Mistake:
    """A known wrong convolution, and what to tell the student who wrote it."""

    wrong: Expected
    pl: str
    en: str

    def explains(self, answer: CallAnswer, given: Float) -> bool:
        """Whether it gives the values that were returned."""
        try:
            wrong = self.wrong(answer.X, answer.K, answer.q)
        except ValueError:
            return False
        return wrong.shape == given.shape and not _wrong_values(given, wrong).any()


def _without(X: Float, K: Float, q: int, *, row: int | None = None, column: int | None = None) -> Float:
    """Leave a row or column of the right result, or both, at zero."""
    result: Float = np.array(convolution(X, K, q))
    if row is not None:
        result[row] = 0
    if column is not None:
        result[:, column] = 0
    return result


def _product_of_sums(X: Float, K: Float, _: int) -> Float:
    ones = np.ones((*K.shape[:3], 1))
    product: Float = convolution(X, ones, 1) * K.sum((0, 1, 2))
    return product


def _channels_first(X: Float, K: Float, q: int, *, image: bool) -> Float:
    """Multiply windows and kernels that were flattened in other orders: one of them channels first, the other as it is."""
    k, d = K.shape[0], K.shape[2]
    if image:
        return convolution(X, K.reshape(d, k, k, q).transpose(1, 2, 0, 3), q)
    return convolution(X, K.transpose(2, 0, 1, 3).reshape(k, k, d, q), q)


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
        lambda X, K, q: _without(X, K, q, row=-1),
        "Brakuje ostatniego wiersza wyniku: sprawdź górną granicę pętli po wierszach.",
        "The result's last row is missing: check the upper bound of the loop over rows.",
    ),
    Mistake(
        lambda X, K, q: _without(X, K, q, column=-1),
        "Brakuje ostatniej kolumny wyniku: sprawdź górną granicę pętli po kolumnach.",
        "The result's last column is missing: check the upper bound of the loop over columns.",
    ),
    Mistake(
        lambda X, K, q: _without(X, K, q, row=-1, column=-1),
        "Brakuje ostatniego wiersza i ostatniej kolumny wyniku: sprawdź górne granice pętli.",
        "The result's last row and column are missing: check the upper bounds of the loops.",
    ),
    Mistake(
        lambda X, K, q: _without(X, K, q, row=0, column=0),
        "Brakuje pierwszego wiersza i pierwszej kolumny wyniku: położenia okna liczy się od zera.",
        "The result's first row and column are missing: positions of the window are counted from zero.",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K[::-1], q),
        "Filtr jest odwrócony w pionie: jego pierwszy indeks rośnie w dół, tak jak numery wierszy obrazu.",
        "The kernel is upside down: its first index grows downwards, like the image's rows.",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K[:, ::-1], q),
        "Filtr jest odwrócony w poziomie: jego drugi indeks rośnie w prawo, tak jak numery kolumn obrazu.",
        "The kernel is mirrored: its second index grows to the right, like the image's columns.",
    ),
    *(
        Mistake(
            partial(_channels_first, image=image),
            "Okna i filtry są rozwinięte z osiami w różnej kolejności: powinna być jednakowa, np. (k, k, d).",
            "Windows and kernels are flattened with their axes in different orders: use one for both, say (k, k, d).",
        )
        for image in (True, False)
    ),
    Mistake(
        lambda X, K, q: convolution(X, K, q) / (K.shape[0] * K.shape[1]),
        "Wynik jest podzielony przez liczbę pikseli okna: we wzorze jest suma, a nie średnia.",
        "The result is divided by the number of pixels in the window: the formula has a sum, not a mean.",
    ),
    Mistake(
        lambda X, K, q: convolution(X, K, q) / K[..., 0].size,
        "Wynik jest średnią po oknie, a wzór każe sumować.",
        "The result is the mean over the window; the formula has a sum.",
    ),
    Mistake(
        lambda X, K, q: np.cumsum(convolution(X, K, q), axis=2),
        "W każdej mapie są też sumy poprzednich filtrów: wyzeruj sumę przed kolejnym filtrem.",
        "Each map holds the sums of the filters before it too: start the sum at zero for each filter.",
    ),
    Mistake(
        lambda X, K, q: np.maximum(convolution(X, K, q), 0),
        "Wartości ujemne zamieniono na zera: funkcja aktywacji nie należy do konwolucji.",
        "Negative values have become zeros: an activation is no part of the convolution.",
    ),
    Mistake(
        lambda X, K, q: np.abs(convolution(X, K, q)),
        "Wynik jest wartością bezwzględną: konwolucja może dać także liczby ujemne.",
        "The result is an absolute value; a convolution may be negative too.",
    ),
    Mistake(
        _product_of_sums,
        "Suma okna jest pomnożona przez sumę filtra: najpierw mnoży się element przez element, potem sumuje.",
        "The window's sum is multiplied by the kernel's: multiply element by element first, then add.",
    ),
)
