"""What of an executed notebook an instructor's browser may show: text and pictures, nothing that runs.

formgrader renders HTML, SVG and JavaScript as they come, whoever wrote them, under the instructor's own login.
"""

import re
from collections.abc import Iterator

from nbformat import NotebookNode
from nbformat.v4 import new_output

SAFE = ("text/plain", "image/png", "image/jpeg")
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")


def safe_outputs(outputs: object) -> list[NotebookNode]:
    """Keep what is text or a picture of a cell's outputs, which came from the student's kernel and may be anything."""
    found = outputs if isinstance(outputs, list) else []
    return [safe for output in found if isinstance(output, dict) for safe in _safe(output)]


def _safe(output: dict[str, object]) -> Iterator[NotebookNode]:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        yield new_output("stream", name=name, text=_text(output.get("text")))
    elif kind == "error":
        name, value = _text(output.get("ename")), _text(output.get("evalue"))
        lines = output.get("traceback")
        traceback = [_text(line) for line in lines] if isinstance(lines, list) else []
        yield new_output("error", ename=name, evalue=value, traceback=traceback)
    elif kind in {"display_data", "execute_result"} and (data := _data(output.get("data"))):
        yield new_output("display_data", data=data)


def _data(data: object) -> dict[str, str]:
    kinds = data if isinstance(data, dict) else {}
    found = {kind: _text(kinds[kind]) for kind in SAFE if kind in kinds}
    return {kind: text for kind, text in found.items() if kind == "text/plain" or BASE64.fullmatch(text)}


def _text(value: object) -> str:
    """Return text as notebooks hold it, in one piece or in lines."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))
