"""A stranger's text on a page: nothing in it commands a browser, hides, turns words around or paints over others."""

import re
import unicodedata

from autograder.printable import printable

MARKS = {"Mn", "Me"}  # https://www.unicode.org/reports/tr44/#General_Category_Values
MARKS_A_LETTER = 3
LONGEST = 3_000


def harmless(text: str, limit: int = LONGEST) -> str:
    """Return the text with its line breaks; what is invisible becomes U+FFFD, piles of accents and great lengths cut."""
    cut = text if len(text) <= limit else text[:limit] + " […]"
    lines = re.split(r"\r\n|\r|\n", cut.replace("\t", " "))
    return "\n".join(_flattened(printable(line)) for line in lines)


def _flattened(line: str) -> str:
    kept: list[str] = []
    pile = 0
    for char in line:
        pile = pile + 1 if unicodedata.category(char) in MARKS else 0
        if pile <= MARKS_A_LETTER:
            kept.append(char)
    return "".join(kept)
