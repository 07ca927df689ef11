"""Show a stranger's text on one line: what a terminal, a browser or a log would obey shows as U+FFFD."""

import unicodedata

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # https://www.unicode.org/reports/tr44/#General_Category_Values


def printable(text: str, longest: int | None = None) -> str:
    """Return `text` without line breaks, control characters, bidirectional and zero-width marks, and private glyphs.

    Of what is longer than `longest` the beginning is shown.
    """
    shown = "".join("\ufffd" if unicodedata.category(c) in UNSEEN else c for c in text[:longest])
    return shown if longest is None or len(text) <= longest else f"{shown}…"
