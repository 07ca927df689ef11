"""What a flag means, in words for an instructor: what was seen, and how it can come about honestly."""

from autograder.report import Flag
from autograder.text import number, say


def meaning(code: str) -> str:
    """Return one or two sentences about a flag; its bare code where it is one that this version does not know."""
    return _meanings().get(code, code)


def figures(flag: Flag) -> str:
    """Return what was measured, in a line: "gap = deep: 1; limit: 0.95"; nothing where it is the fact that counts."""
    return "; ".join(f"{name}: {number(value, 4).rstrip('0').rstrip(',.')}" for name, value in flag.figures.items())


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
