"""nbgrader preprocessor that removes the grader's private metadata from the release."""

from typing import Any

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class DropPrivate(NbGraderPreprocessor):  # type: ignore[misc]  # nbgrader has no types
    """Drops `metadata.splot` of the notebook and `metadata.splot.private` of each cell; titles and bonuses stay.

    For `c.GenerateAssignment.preprocessors`.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> tuple[NotebookNode, dict[str, Any]]:
        """Return the notebook without them."""
        nb.metadata.pop("splot", None)
        for cell in nb.cells:
            cell.metadata.get("splot", {}).pop("private", None)
            if not cell.metadata.get("splot"):
                cell.metadata.pop("splot", None)
        return nb, resources
