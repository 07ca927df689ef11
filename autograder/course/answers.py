r"""A student's Markdown as formgrader may render it: nothing runs, only known pictures are shown, and its cost is bounded.

nbconvert renders tags and links as they come, refuses a notebook whose text names a picture that is not there, and takes
time that grows with the square of how many formulas are opened: 60,000 characters of `\\(` took over 25 s.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote, unquote

from autograder.language import say
from autograder.notebook.pasted import Picture, picture_kind

MAX_CHARACTERS = 60_000
MAX_LINES = 3_000
MAX_FORMULAS = 200
MAX_DOLLARS = 2_000  # `$…$` is cheap for nbconvert, but MathJax sets each in the browser
MAX_EMBEDDED = 100  # pictures in the text itself; finding each one's links takes longer the more there are
# What opens a tag, a comment or an autolink: https://html.spec.whatwg.org/#tag-open-state
TAG = re.compile(r"<(?=[A-Za-z/!?])")
LINE_END = re.compile(r"\r\n?|\n")
OPENED = re.compile(r"\\\\[(\[]|\\begin\{|\$")
# Where a link may lead, inline or in a reference's definition: a page, a picture or a file beside.
ALLOWED = r"https?://|mailto:|#|data:image/|[\w./%,-]+(?:[\s)]|\Z)"
EMBEDDED = re.compile(r"data:image/[a-z]+;base64,([A-Za-z0-9+/]+={0,2})")
EXTENSIONS = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass
class Room:
    """What is left, for one notebook, of what formgrader can render in about a second."""

    characters: int = MAX_CHARACTERS
    lines: int = MAX_LINES
    formulas: int = MAX_FORMULAS
    dollars: int = MAX_DOLLARS
    embedded: int = MAX_EMBEDDED

    def fitting(self, source: str) -> str:
        """Return as much of the source, from its beginning, as there is room for, and take that room."""
        opened = list(OPENED.finditer(source))
        dollars = [match.start() for match in opened if match[0] == "$"]
        formulas = [match.start() for match in opened if match[0] != "$"]
        lines = [match.start() for match in LINE_END.finditer(source)]
        end = min(len(source), self.characters)
        for places, left in ((lines, self.lines), (formulas, self.formulas), (dollars, self.dollars)):
            end = min(end, places[left]) if len(places) > left else end
        self.characters -= end
        self.lines -= sum(place < end for place in lines)
        self.formulas -= sum(place < end for place in formulas)
        self.dollars -= sum(place < end for place in dollars)
        return source[:end]


def shown(source: str, pictures: Sequence[Picture], room: Room) -> tuple[str, dict[str, dict[str, str]]]:
    """Return an answer and its attachments as formgrader may show them; where it was cut, a line above it says so.

    A picture that stands in the text itself, as Colab pastes it, becomes an attachment: the text stays short.
    """
    source, embedded = _detached(source, room)
    pictures = (*pictures, *embedded)
    fitting = room.fitting(source)
    safe = safe_markdown(fitting, pictures)
    if len(fitting) < len(source):
        note = say(
            pl=f"*(pokazano {len(fitting)} z {len(source)} znaków, resztę zawiera oddany plik)*",
            en=f"*({len(fitting)} of {len(source)} characters are shown; the submitted file holds the rest)*",
        )
        safe = f"{note}\n\n{safe}"
    return safe, {name: {picture.kind: picture.data} for name, picture in _named(pictures).items()}


def _detached(source: str, room: Room) -> tuple[str, list[Picture]]:
    """Return the text with embedded PNG and JPEG pictures replaced by links to attachments, and those.

    Pictures for which there is no room stay in the text, and count as its characters.
    """
    found: list[Picture] = []

    def detach(match: re.Match[str]) -> str:
        kind = picture_kind(match[1])
        if kind is None or not room.embedded:
            return match[0]
        room.embedded -= 1
        found.append(Picture(f"splot-embedded-{len(found) + 1}", kind, match[1]))
        return f"attachment:{found[-1].name}"

    return EMBEDDED.sub(detach, source), found


def safe_markdown(source: str, pictures: Sequence[Picture] = ()) -> str:
    """Return Markdown in which nothing runs: a space takes tags and links like `javascript:` apart; the rest stays.

    nbconvert renders both as they come. Of `attachment:` links only those to `pictures` stay, under the names that
    `shown` gives them.
    """
    source = TAG.sub("< ", source)
    names = {spelling: new for new, picture in _named(pictures).items() for spelling in _spellings(picture.name)}
    if names:
        known = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
        link = re.compile(rf"(\]\(\s*|\]:\s*)attachment:({known})(?=[\s)]|\Z)")
        source = link.sub(lambda match: f"{match[1]}attachment:{names[match[2]]}", source)
    return _link_elsewhere(tuple(_named(pictures))).sub(r"] \1", source)


def _named(pictures: Sequence[Picture]) -> dict[str, Picture]:
    return {f"picture-{n}.{EXTENSIONS[picture.kind]}": picture for n, picture in enumerate(pictures, start=1)}


def _spellings(name: str) -> set[str]:
    """Return how a link may spell a picture's name: as it is, or percent-encoded."""
    return {name, quote(name), quote(name, safe="()"), unquote(name)} - {""}


@cache
def _link_elsewhere(names: tuple[str, ...]) -> re.Pattern[str]:
    """Return what matches the head of a link that leads neither where it may nor to one of these attachments."""
    own = "|".join(map(re.escape, names)) or r"(?!)"
    inline, defined = rf"(?<=\()\s*attachment:(?:{own})[\s)]", rf"(?<=:)\s*attachment:(?:{own})(?:\s|\Z)"
    return re.compile(rf"\]([(:])(?!{inline}|{defined}|\s*(?:{ALLOWED}))")
