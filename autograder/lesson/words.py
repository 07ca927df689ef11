"""The lesson's words: what each graded cell was expected to be, and what a flag means, as an instructor reads it.

An expectation says what the task asks for, never how it is checked; a flag's meaning, how it can come about honestly.
"""

from autograder.engine.text import say


def meaning(code: str) -> str:
    """Return one or two sentences about a flag; its bare code where it is one that this version does not know."""
    return _meanings().get(code, code)


def _meanings() -> dict[str, str]:
    return {**_of_training(), **_of_accuracy(), **_of_likeness()}


def _of_training() -> dict[str, str]:
    return {
        "no_backward": say(
            pl="Nie zauważono ani jednego kroku gradientowego tej sieci: wagi mogły powstać poza notebookiem albo bez uczenia.",
            en="Not one gradient step of this network was seen: its weights may come from elsewhere, or from no training.",
        ),
        "frozen_layers": say(
            pl="Uczenie objęło tylko część parametrów (ułamek tensorów). Tak jest też przy uczeniu z zamrożonymi warstwami.",
            en="Training reached a part of the parameters only (the fraction of tensors), as it does where layers are frozen.",
        ),
        "warm_start": say(
            pl="Uczenie tej sieci zaczęto od wag innej, już uczonej (ułamek wag), a nie od losowych. Porównanie z tamtą "
            "siecią mniej wtedy mówi.",
            en="Training of this network began from the weights of another trained one (the fraction of weights), not from "
            "random ones; a comparison with that one then says less.",
        ),
        "restored_best_epoch": say(
            pl="Oceniana sieć to kopia tej, którą uczono (liczba kroków), np. z najlepszej epoki. Zwykle to dobra praktyka.",
            en="The network is a copy of the one that was trained (its steps), such as of the best epoch: mostly good practice.",
        ),
        "weights_from_literals": say(
            pl="W kodzie są zapisane duże dane: długie napisy bez odstępów albo ciągi liczb. Sprawdź, czy to nie gotowe wagi.",
            en="The code holds large data: long words without a space, or long rows of numbers. See whether these are weights.",
        ),
        "history_does_not_fit": say(
            pl="Żadna wartość val_accuracy nie jest bliska zmierzonej dokładności: historia może pochodzić z innego uczenia.",
            en="No value of val_accuracy is near the accuracy measured: the history may be of another training.",
        ),
        "not_examined": say(
            pl="Jednego z tych sprawdzeń nie udało się wykonać.",
            en="One of these examinations could not be carried out.",
        ),
    }


def _of_accuracy() -> dict[str, str]:
    return {
        "accuracy_above_reference": say(
            pl="Sieć popełnia mniej niż połowę błędów najlepszej ze zmierzonych sieci wzorcowych. Zbiór testowy jest publiczny: "
            "mogła być na nim uczona.",
            en="The network makes less than half the errors of the best one measured for the thresholds. The test set is public: "
            "it may have been trained on it.",
        ),
        "falls_under_change": say(
            pl="Po drobnej zmianie obrazów testowych (przesunięcie, kontrast, szum) dokładność spada bardziej niż w sieciach "
            "uczonych uczciwie: sieć mogła zapamiętać te obrazy.",
            en="Under a small change of the test images (shift, contrast, noise) accuracy falls further than in networks "
            "trained honestly: this one may know the images by heart.",
        ),
    }


def _of_likeness() -> dict[str, str]:
    return {
        "equal_scores": say(
            pl="Dwie sieci dają tę samą odpowiedź dla prawie każdego obrazu (ułamek): jedna może być przeróbką drugiej.",
            en="Two networks give the same answer for nearly every image (the fraction): one may be the other in disguise.",
        ),
        "shared_tensors": say(
            pl="Dwie sieci mają wspólne wagi (ułamek parametrów drugiej). Tak jest też, gdy uczenie zaczęto od poprzedniej sieci "
            "z zamrożonymi warstwami.",
            en="Two networks have weights in common (the fraction of the second's parameters), as where training began from the "
            "network before with layers frozen.",
        ),
    }


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
