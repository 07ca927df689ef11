"""What each graded cell was expected to be, in a sentence: what the task asks for, never how it is checked."""

from autograder.language import say


def expectation(cell: str) -> str:
    """Return the sentence of a cell; nothing where there is none."""
    return _EXPECTED[cell]() if cell in _EXPECTED else ""


def _trained(what_pl: str, what_en: str) -> str:
    return say(
        pl=f"{what_pl} Potrzebne są też: trening, historia, wyniki i wypisana liczba parametrów.",
        en=f"{what_en} Training, a history, results and the printed parameter count are needed as well.",
    )


_EXPECTED = {
    "task1_convolution_tests": lambda: say(
        pl="Funkcja convolution(X, K, q) oblicza mapy cech według wzoru z części 1, dla obrazów i filtrów dowolnych "
        "rozmiarów, bez korzystania z gotowych konwolucji.",
        en="convolution(X, K, q) computes the feature maps by the formula of part 1, for images and kernels of any size, "
        "without a library's convolution.",
    ),
    "task1_matrix_tests": lambda: say(
        pl="Funkcja convolution_matrix(X, K, q) daje to samo co convolution, ale przez mnożenie macierzy, bez pętli po "
        "pikselach.",
        en="convolution_matrix(X, K, q) gives what convolution does, by a matrix product, without a loop over pixels.",
    ),
    "task1_same_tests": lambda: say(
        pl="Funkcja convolution_same(X, K, q) dopełnia obraz zerami i zwraca mapy tak duże jak obraz wejściowy.",
        en="convolution_same(X, K, q) pads the image with zeros and returns maps as large as the image.",
    ),
    "task2_case_1_tests": lambda: say(
        pl="Warstwa case_1 zmniejsza mapę 224×224 do 55×55 i ma parametry podane w zadaniu.",
        en="The layer case_1 takes a 224×224 map to 55×55 and has the parameters the task gives.",
    ),
    "task2_case_2_tests": lambda: say(
        pl="Warstwa case_2 zamienia mapę 32×32 na 30×16 i ma parametry podane w zadaniu.",
        en="The layer case_2 turns a 32×32 map into 30×16 and has the parameters the task gives.",
    ),
    "task2_case_3_tests": lambda: say(
        pl="Warstwa case_3 zmniejsza mapę 50×50 do 46×46 dzięki dylatacji i ma parametry podane w zadaniu.",
        en="The layer case_3 takes a 50×50 map to 46×46 by dilation and has the parameters the task gives.",
    ),
    "task3_architecture_tests": lambda: say(
        pl="Model bazowy: co najmniej dwa bloki konwolucji, każdy zakończony aktywacją, potem spłaszczenie, warstwa liniowa "
        "i dziesięć wyników.",
        en="The baseline: at least two blocks of convolutions, each ended by an activation, then flattening, a linear "
        "layer, ten scores.",
    ),
    "task3_training_tests": lambda: say(
        pl="Trening modelu bazowego: kompletna historia, malejąca strata, narysowane krzywe, wypisana liczba parametrów "
        "i wyniki zgodne z tym, co daje sieć.",
        en="Training of the baseline: a complete history, a falling loss, curves plotted, the parameter count printed, "
        "and results that agree with what the network gives.",
    ),
    "task3_accuracy_tests": lambda: say(
        pl="Model bazowy dobrze rozpoznaje także obrazy, których wcześniej nie widział.",
        en="The baseline also recognises images that it never saw.",
    ),
    "task4_exp1_tests": lambda: _trained(
        "Dwie sieci jak model bazowy, ale jedna z max poolingiem, a druga z average poolingiem po konwolucjach.",
        "Two networks like the baseline, one with max pooling after its convolutions, one with average pooling.",
    ),
    "task4_exp2_tests": lambda: _trained(
        "Sieć gap: Global Average Pooling zamiast spłaszczenia, a pooling po konwolucjach zostaje.",
        "The network gap: global average pooling in place of flattening, pooling after the convolutions kept.",
    ),
    "task4_exp3_tests": lambda: _trained(
        "Sieć regularized: sieć gap z BatchNorm2d lub Dropout2d.",
        "The network regularized: gap with BatchNorm2d or Dropout2d.",
    ),
    "task4_exp4_tests": lambda: _trained(
        "Sieć deep: więcej konwolucji niż w regularized, ostatnia ma co najmniej tyle filtrów co pierwsza.",
        "The network deep: more convolutions than regularized, the last with at least as many filters as the first.",
    ),
    "task4_exp5_tests": lambda: _trained(
        "Sieć custom: co najmniej dwa parametry konwolucji spośród stride, dilation i padding są inne niż domyślne.",
        "The network custom: at least two of its convolutions' stride, dilation and padding differ from the defaults.",
    ),
    "task4_exp5_answer": lambda: say(
        pl="Odpowiedź pisemna: dlaczego takie parametry i jaki był skutek ich zmiany.",
        en="A written answer: why these parameters, and what changing them did.",
    ),
    "task4_single_loop_tests": lambda: say(
        pl="Wszystkie sieci trenuje jedna i ta sama pętla.",
        en="One and the same loop trains all networks.",
    ),
    "task4_comparison": lambda: say(
        pl="Odpowiedź pisemna: porównanie eksperymentów na podstawie wyników i krzywych uczenia.",
        en="A written answer: the experiments compared by their results and learning curves.",
    ),
    "task5_cam_tests": lambda: say(
        pl="Funkcja cam(model, image, class_index) zwraca mapę Σ_k w_ck·f_k(x, y) dla podanej klasy.",
        en="cam(model, image, class_index) returns the map Σ_k w_ck·f_k(x, y) of the given class.",
    ),
}
