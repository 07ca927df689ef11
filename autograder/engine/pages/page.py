"""Renders self-contained HTML pages: no script, no external resource, and a content security policy."""

import base64
import hashlib
import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.engine.lesson import Lesson
from autograder.engine.pages.charts import MARKERS, squares
from autograder.engine.report import Flag, Status
from autograder.engine.text import Lang, count, in_language, number, points, printable, say

COMBINING = {"Mn", "Me"}  # https://www.unicode.org/reports/tr44/#General_Category_Values
MAX_ACCENTS = 3  # on one letter
LONGEST = 3_000
TEMPLATES = Path(__file__).parent / "templates"


def sanitize(text: str, limit: int = LONGEST) -> str:
    """Return text safe to show: invisible characters become U+FFFD, stacked accents and long text are cut."""
    cut = text if len(text) <= limit else text[:limit] + " […]"
    kept: list[str] = []
    for line in re.split(r"\r\n|\r|\n", cut.replace("\t", " ")):
        kept.append("\n" if kept else "")
        accents = 0
        for char in printable(line):
            accents = accents + 1 if unicodedata.category(char) in COMBINING else 0
            kept.append(char if accents <= MAX_ACCENTS else "")
    return "".join(kept)


def percent(share: float, digits: int = 0) -> str:
    """Return a fraction as percent."""
    return number(100 * share, digits) + "%"


def whole(value: int) -> str:
    """Return a whole number with separated thousands."""
    return f"{value:,}".replace(",", say(pl="\N{NARROW NO-BREAK SPACE}", en=","))


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


def figures(flag: Flag) -> str:
    """Return what was measured, in a line: "gap = deep: 1; limit: 0.95"; nothing where it is the fact that counts."""
    return "; ".join(f"{name}: {number(value, 4).rstrip('0').rstrip(',.')}" for name, value in flag.figures.items())


def render(template: str, lang: Lang, lesson: Lesson, **context: Any) -> str:
    """Return a page; every text in `context` is shown as `sanitize` leaves it, and never as HTML."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    with in_language(lang):
        page = _environment(lesson.templates).get_template(template)
        # Ours, from a file of this package: markup by design.
        return page.render(lang=lang, title=lesson.title(), style=Markup(style), style_digest=digest, **context)  # noqa: S704


def compile_templates(lesson: Lesson) -> None:
    """Compile all templates that pages of this lesson are made of, so that processes forked afterwards need not."""
    environment = _environment(lesson.templates)
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


@cache
def _environment(lessons: Path | None) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([lessons, TEMPLATES] if lessons else TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    functions = (say, count, number, points, percent, whole, short, shape, figures, status_name, squares)
    environment.globals.update({function.__name__: function for function in functions}, markers=MARKERS)
    # base64 knows no character that HTML does
    environment.filters["png"] = lambda image: Markup("data:image/png;base64,") + base64.b64encode(image).decode()
    return environment


def _shown(value: Any) -> Any:
    """Sanitise a value that a template prints; every text a student may have written passes through here."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return sanitize(value)
    return "" if value is None else value
