"""The executed notebook as the judge reads it: sources and printed text."""

from typing import Any

import msgspec

Text = str | list[str]


class Role(msgspec.Struct, frozen=True):
    """What the grader wrote into a cell's metadata."""

    grade_id: str | None = None
    locked: bool = False


class ExecutedCell(msgspec.Struct, frozen=True):
    """A cell as it ran. The grader wrote it; but what stands in an output came from the kernel, and may be of any type."""

    cell_type: str
    source: Text
    metadata: Role = Role()
    outputs: list[dict[str, Any]] = []

    @property
    def is_students(self) -> bool:
        """Whether this is code of the student's; locked cells are not."""
        return self.cell_type == "code" and not self.metadata.locked

    @property
    def text(self) -> str:
        """The source in one piece."""
        return _text(self.source)


class Executed(msgspec.Struct, frozen=True):
    """The executed notebook as text: what each cell said in source, what it printed."""

    cells: tuple[ExecutedCell, ...]

    @classmethod
    def of(cls, document: object) -> "Executed":
        """Read a notebook's JSON; raises `msgspec.ValidationError` where it is no notebook that the grader wrote."""
        return msgspec.convert(document, cls)

    def source(self, grade_id: str) -> str:
        """The source of the cell that holds this id, or nothing."""
        return "".join(cell.text for cell in self.cells if cell.metadata.grade_id == grade_id)

    def locked(self, index: int) -> bool:
        """Whether the cell of this number, from 0, is the instructor's own."""
        return 0 <= index < len(self.cells) and self.cells[index].metadata.locked

    def code_before(self, grade_id: str) -> list[tuple[int, ExecutedCell]]:
        """Return the code cells that stand before the cell of this id, with their numbers in the notebook, from 0."""
        found = []
        for index, cell in enumerate(self.cells):
            if cell.metadata.grade_id == grade_id:
                break
            if cell.cell_type == "code":
                found.append((index, cell))
        return found

    @property
    def printed(self) -> str:
        """All text that the student's cells printed or showed."""
        return "\n".join(_shown(output) for cell in self.cells if not cell.metadata.locked for output in cell.outputs)


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data")
    kinds = data if isinstance(data, dict) else {}
    return "\n".join(_text(part) for part in (output.get("text"), kinds.get("text/plain"), kinds.get("text/html")))


def _text(value: object) -> str:
    """Return text as notebooks hold it, in one piece or in lines."""
    parts = value if isinstance(value, list) else [value]
    return "".join(part for part in parts if isinstance(part, str))
