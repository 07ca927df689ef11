"""Polish by default, English on request, and Polish numerals agree with their nouns."""

import pytest

from autograder.language import Lang, count, number, say, speaking


def test_polish_is_the_default_and_comes_back() -> None:
    """A block in English is over when it ends, also by an exception."""

    def fail() -> None:
        with speaking(Lang.EN):
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
    with speaking(Lang.EN):
        assert number(0.8765) == "0.876"
