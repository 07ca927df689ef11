"""Write the last audit into docs/audit.md: `splot audit --json FILE`, then `python -m tools.audit_table FILE`."""

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import msgspec

from autograder.engine.audit import Audit, AuditTable, Rate, Sample, explain_rates
from autograder.engine.notebook import load_assignment
from autograder.lesson.calibrate import measured_by
from benchmarks.benchmark_page import put_section, table
from tests.submissions.build import ROOT
from tests.submissions.corpus import CORPUS

PAGE = ROOT / "docs" / "audit.md"


def corpus_table(samples: Iterable[Sample]) -> str:
    """Return how many submissions of the corpus are about each test cell."""
    right: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for sample in samples:
        right.update(sample.row.right)
        wrong.update(sample.row.loses.keys())
    cells = [item.grade_id for item in load_assignment("cnn", ROOT).items if item.grade_id in right | wrong]
    rows = [[cell, str(right[cell]), str(wrong[cell])] for cell in cells]
    return table(["test cell", "all points in", "loses in"], rows)


def checks_table(audit: Audit) -> str:
    """Return each check's rates."""
    drawn = AuditTable(audit, load_assignment(audit.assignment, ROOT))
    rows = [
        [
            cell.removesuffix("_tests"),
            check,
            *map(_rate, (rates.false_fails, rates.false_passes, rates.unnamed)),
            str(rates.open),
        ]
        for cell, check, rates in drawn.checks
    ]
    return table(["test cell", "check", "false fails", "false passes", "unnamed", "open"], rows)


def _rate(rate: Rate) -> str:
    return f"{rate.count} of {rate.n}" if rate.n else "–"


def main(file: str) -> None:
    """Write the section."""
    audit = msgspec.json.decode(Path(file).read_bytes(), type=Audit)
    how = measured_by("splot audit")
    names = {sample.name for sample in audit.samples}
    if names != CORPUS.keys():
        raise SystemExit(f"{file} has other submissions than corpus/: {', '.join(sorted(names ^ CORPUS.keys())[:5])} …")
    said = f"{how.machine}, torch {how.torch}, {how.date}, profile {audit.profile}, each graded {audit.repeats}×."
    parts = [said, " ".join(explain_rates(audit.rates)), corpus_table(CORPUS.values()), checks_table(audit)]
    put_section("audit", "\n\n".join(parts), PAGE)


if __name__ == "__main__":
    main(*sys.argv[1:])
