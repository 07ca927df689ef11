"""The executed notebook as the judge reads it: sources and printed text."""

from typing import Any


class Executed:
    """The executed notebook as text: what each cell said in source, what it printed.

    The grader wrote it; but what stands in an output came from the kernel, and may be of any type.
    """

    def __init__(self, document: dict[str, Any]) -> None:
        self.cells: list[dict[str, Any]] = document["cells"]

    def source(self, grade_id: str) -> str:
        """The source of the cell that holds this id, or nothing."""
        return "".join(_text(c["source"]) for c in self.cells if c["metadata"].get("grade_id") == grade_id)

    def locked(self, index: int) -> bool:
        """Whether the cell of this number, from 0, is the instructor's own."""
        return 0 <= index < len(self.cells) and bool(self.cells[index]["metadata"].get("locked"))

    @property
    def code(self) -> list[str]:
        """The student's code cells, in order; locked cells are not theirs."""
        return [
            _text(cell["source"])
            for cell in self.cells
            if cell["cell_type"] == "code" and not cell["metadata"].get("locked")
        ]

    def numbered_code(self, until: str) -> list[tuple[int, str]]:
        """The student's code cells with their numbers in the notebook, up to the cell that holds `until`."""
        found = []
        for number, cell in enumerate(self.cells, start=1):
            if cell["metadata"].get("grade_id") == until:
                break
            if cell["cell_type"] == "code" and not cell["metadata"].get("locked"):
                found.append((number, _text(cell["source"])))
        return found

    @property
    def printed(self) -> str:
        """All text that the student's cells printed or showed."""
        return "\n".join(
            _shown(output)
            for cell in self.cells
            if not cell["metadata"].get("locked")
            for output in cell.get("outputs", ())
        )


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data")
    kinds = data if isinstance(data, dict) else {}
    return "\n".join(_text(part) for part in (output.get("text"), kinds.get("text/plain"), kinds.get("text/html")))


def _text(value: object) -> str:
    """Return text as notebooks hold it, in one piece or in lines."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))
