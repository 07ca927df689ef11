"""The sums of rows against NumPy's."""

import numpy as np
import pytest

from autograder.engine.evidence.reader import Evidence
from tests.lessons.rows import SumsProbe, SumsRecord, matrix

CELL = "row_sums_tests"
PROBES = [SumsProbe(CELL, "row_sums")]


@pytest.mark.cell(CELL, pl="Suma każdego wiersza", en="The sum of each row")
def test_sums(evidence: Evidence) -> None:
    """Each sum is right, of a matrix that nobody could foresee."""
    (record,) = evidence.records(SumsRecord)[CELL]
    assert record.failure is None, f"row_sums: {record.failure.type}: {record.failure.message}"
    right = np.allclose(record.sums, matrix(evidence.file.seed).sum(1)) if len(record.sums) == 4 else False
    assert right, "row_sums(X) should return the sum of each row: one number for each."
