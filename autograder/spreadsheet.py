"""Texts in tables of our own: a spreadsheet program must not run one as a formula.

See https://owasp.org/www-community/attacks/CSV_Injection.
"""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")


def inert(text: str) -> str:
    """Put an apostrophe before what a spreadsheet program would run; `as_meant` takes it away again."""
    return f"'{text}" if text.startswith(FORMULA) else text


def as_meant(text: str) -> str:
    """Return the text that `inert` was given."""
    return text[1:] if text.startswith("'") and text[1:].startswith(FORMULA) else text
