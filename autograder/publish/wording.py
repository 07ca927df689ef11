"""How a report's figures and states are said: in the terminal and on pages alike."""

from autograder.language import number, say
from autograder.report import Status

THIN = "\N{NARROW NO-BREAK SPACE}"


def points(value: float | None) -> str:
    """Return points without needless zeros, a dash where there are none yet."""
    return "–" if value is None else number(value, 2).rstrip("0").rstrip(",.")


def percent(share: float, digits: int = 0) -> str:
    """Return a fraction as percent."""
    return number(100 * share, digits) + "%"


def whole(value: int) -> str:
    """Return a whole number, its thousands apart."""
    return f"{value:,}".replace(",", say(pl=THIN, en=","))


def short(value: float) -> str:
    """Return a figure on an axis."""
    return f"{value:g}".replace(".", say(pl=",", en="."))


def shape(sizes: tuple[int, ...]) -> str:
    """Return a shape as the lesson writes it: 24×24×8."""
    return "×".join(map(str, sizes)) or "–"


def status_name(status: Status) -> str:
    """Name a status in a word or two."""
    names = {
        Status.PASSED: say(pl="zaliczone", en="passed"),
        Status.PARTIAL: say(pl="częściowo", en="partial"),
        Status.FAILED: say(pl="niezaliczone", en="failed"),
        Status.ERROR: say(pl="wyjątek", en="error"),
        Status.MISSING: say(pl="brak", en="missing"),
        Status.TIMEOUT: say(pl="limit czasu", en="time limit"),
        Status.MEMORY: say(pl="limit pamięci", en="memory limit"),
        Status.MANUAL: say(pl="do oceny", en="by hand"),
        Status.UNDECIDED: say(pl="nierozstrzygnięte", en="undecided"),
    }
    return names[status]


def class_name(dataset: str | None, label: int) -> str:
    """Name a class of the data set; its number where the data set is not known."""
    names = {
        "FashionMNIST": say(
            pl="T-shirt,spodnie,sweter,sukienka,płaszcz,sandał,koszula,but sportowy,torba,botek",
            en="T-shirt,trouser,pullover,dress,coat,sandal,shirt,sneaker,bag,ankle boot",
        ),
        "CIFAR10": say(
            pl="samolot,samochód,ptak,kot,jeleń,pies,żaba,koń,statek,ciężarówka",
            en="airplane,automobile,bird,cat,deer,dog,frog,horse,ship,truck",
        ),
    }
    return names[dataset].split(",")[label] if dataset in names else str(label)
