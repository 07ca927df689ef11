"""What a student reads, in Polish by default and in English on request.

Both wordings of a message stand side by side where the message arises, so that neither goes stale alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum


class Lang(StrEnum):
    """Languages a report can be written in."""

    PL = "pl"
    EN = "en"


_current: ContextVar[Lang] = ContextVar("lang", default=Lang.PL)


@contextmanager
def speaking(lang: Lang) -> Iterator[None]:
    """Write every message made inside the block in `lang`."""
    token = _current.set(lang)
    try:
        yield
    finally:
        _current.reset(token)


def say(*, pl: str, en: str) -> str:
    """Return the wording of the language in force."""
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
