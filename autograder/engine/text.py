"""Text for people: in Polish or English, on one line, safe in a spreadsheet."""

import codecs
import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum


class Lang(StrEnum):
    """Languages a report can be written in."""

    PL = "pl"
    EN = "en"


_current: ContextVar[Lang] = ContextVar("lang", default=Lang.PL)


@contextmanager
def in_language(lang: Lang) -> Iterator[None]:
    """Set the language of every message made inside the block."""
    token = _current.set(lang)
    try:
        yield
    finally:
        _current.reset(token)


def say(*, pl: str, en: str) -> str:
    """Return the text in the current language."""
    return pl if _current.get() is Lang.PL else en


def count(n: int, one: str, few: str, many: str) -> str:
    """Return `n` with the Polish noun form that agrees with it: 1 piksel, 2 piksele, 5 pikseli."""
    if n == 1:
        return f"{n} {one}"
    if n % 10 in {2, 3, 4} and n % 100 not in {12, 13, 14}:
        return f"{n} {few}"
    return f"{n} {many}"


def number(value: float, digits: int = 3) -> str:
    """Return `value` with a decimal comma in Polish and a decimal point in English."""
    text = f"{value:.{digits}f}"
    return text.replace(".", ",") if _current.get() is Lang.PL else text


def points(value: float | None) -> str:
    """Return points without needless zeros, a dash where there are none yet."""
    return "–" if value is None else number(value, 2).rstrip("0").rstrip(",.")


INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # https://www.unicode.org/reports/tr44/#General_Category_Values


def printable(text: str, longest: int | None = None) -> str:
    """Return `text` without line breaks, control characters, bidirectional and zero-width marks, and private glyphs.

    Text longer than `longest` is cut.
    """
    shown = text[:longest]
    if not shown.isprintable():  # what Python calls printable is in none of these categories; a class has 150,000 texts
        shown = "".join("\ufffd" if unicodedata.category(c) in INVISIBLE else c for c in shown)
    return shown if longest is None or len(text) <= longest else f"{shown}…"


FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def escape_formula(text: str) -> str:
    """Escape a spreadsheet formula with an apostrophe; `unescape_formula` removes it."""
    return f"'{text}" if text.startswith(FORMULA) else text


def unescape_formula(text: str) -> str:
    """Undo `escape_formula`."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text


Field = str | float | None


def csv_table(header: Sequence[str], rows: Iterable[Sequence[Field]]) -> bytes:
    """Return a CSV file that any spreadsheet program reads: UTF-8 with a byte order mark, commas, decimal points.

    A text that such a program would run as a formula stands behind an apostrophe. None and what a row lacks are empty.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(header)
    for row in rows:
        fields = [
            "" if field is None else escape_formula(field) if isinstance(field, str) else f"{field:g}" for field in row
        ]
        writer.writerow([*fields, *[""] * (len(header) - len(row))])
    return codecs.BOM_UTF8 + file.getvalue().encode(errors="replace")
