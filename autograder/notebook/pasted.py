"""Pictures pasted into a written answer: Jupyter keeps them in the cell's `attachments`, base64 by media type by name.

Only PNG and JPEG are taken, told by their own bytes and not by what they claim to be: SVG and HTML can run. A picture of
a few bytes can stand for gigabytes of pixels, which the reader's browser would have to hold, so these have a bound too.
"""

import base64
import io
import re
import warnings
from dataclasses import dataclass

from PIL import Image

MAX_PICTURES = 20
MAX_CHARACTERS = 8_000_000  # of base64: 6 MB
MAX_PIXELS = 40_000_000
MAX_NAME = 200
FORMATS = ("PNG", "JPEG")
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class Picture:
    """A pasted picture: its name in the cell, its media type, and its bytes in base64 without whitespace."""

    name: str
    kind: str
    data: str


def pasted(attachments: object) -> tuple[tuple[Picture, ...], bool]:
    """Return a cell's pictures, at most `MAX_PICTURES`, and whether anything attached had to be left out.

    `attachments` is what the file has there, of any type.
    """
    found = list(attachments.items()) if isinstance(attachments, dict) else []
    pictures = [picture for name, bundle in found[:MAX_PICTURES] if (picture := _picture(name, bundle)) is not None]
    return tuple(pictures), len(pictures) < len(found)


def _picture(name: object, bundle: object) -> Picture | None:
    """Return the first PNG or JPEG among the forms in which one attachment is given."""
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= MAX_NAME:
        return None
    for value in bundle.values() if isinstance(bundle, dict) else ():
        lines = value if isinstance(value, list) else [value]
        data = "".join("".join(line for line in lines if isinstance(line, str)).split())
        kind = picture_kind(data)
        if kind is not None:
            return Picture(name, kind, data)
    return None


def picture_kind(data: str) -> str | None:
    """Return the media type of a picture in base64 by its header; None where it is neither PNG nor JPEG, or too large."""
    if len(data) > MAX_CHARACTERS or len(data) % 4 or not BASE64.fullmatch(data):
        return None
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            Image.open(io.BytesIO(base64.b64decode(data)), formats=FORMATS) as found,
        ):
            return Image.MIME[found.format or ""] if found.width * found.height <= MAX_PIXELS else None
    except Exception:  # noqa: BLE001 - whatever a decoder raises at bytes that anyone may have written
        return None
