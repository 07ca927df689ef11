"""Pages as one file each: no script, nothing loaded from elsewhere, and a policy that says so to the browser."""

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from autograder.language import Lang, count, number, say, speaking
from autograder.publish import charts, wording
from autograder.publish.quoting import harmless

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, lang: Lang, **context: Any) -> str:
    """Return a page; every text in `context` is shown as `harmless` leaves it, and never as HTML."""
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    with speaking(lang):
        page = _environment().get_template(template)
        # Ours, from a file of this package: markup by design.
        return page.render(lang=lang, style=Markup(style), style_digest=digest, **context)  # noqa: S704


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(say=say, count=count, number=number, marker=charts.marker, squares=charts.squares)
    environment.globals.update(
        points=wording.points,
        percent=wording.percent,
        whole=wording.whole,
        short=wording.short,
        shape=wording.shape,
        status_name=wording.status_name,
        class_name=wording.class_name,
    )
    environment.filters["png"] = _png
    return environment


def _shown(value: Any) -> Any:
    """What a template prints: every text a stranger may have written goes through here."""
    if value is None:
        return ""
    return value if isinstance(value, Markup) or not isinstance(value, str) else harmless(value)


def _png(image: bytes) -> Markup:
    """Return an image as a data address: base64 knows no character that HTML does."""
    return Markup("data:image/png;base64,") + base64.b64encode(image).decode()
