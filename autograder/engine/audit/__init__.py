"""Audits the grader: a corpus of submissions whose grade is known, graded as any class, and compared with what they got."""

from autograder.engine.audit.compare import CheckAudit, SampleAudit, Verdict, is_fault
from autograder.engine.audit.corpus import Sample, read_corpus
from autograder.engine.audit.rates import Rate, Rates
from autograder.engine.audit.run import Audit, audit_corpus, summarize
from autograder.engine.audit.show import AuditTable, describe, explain_rates, print_audit, write_audit_page

__all__ = [
    "Audit",
    "AuditTable",
    "CheckAudit",
    "Rate",
    "Rates",
    "Sample",
    "SampleAudit",
    "Verdict",
    "audit_corpus",
    "describe",
    "explain_rates",
    "is_fault",
    "print_audit",
    "read_corpus",
    "summarize",
    "write_audit_page",
]
