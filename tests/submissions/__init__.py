"""Submissions built from the release: its cells filled in as students fill them, right, wrong or hostile."""

from tests.submissions.build import build, fill
from tests.submissions.right import RIGHT
from tests.submissions.wrong import WRONG

__all__ = ["RIGHT", "WRONG", "build", "fill"]
