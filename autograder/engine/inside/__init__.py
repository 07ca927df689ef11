"""The engine's part of what runs inside the sandbox: it prepares the kernel and answers requests with a lesson's recorders.

It knows no answer: it gets names and inputs (`request.json` and arrays in the inbox) and writes records and arrays to the
outbox. Whatever it reports is untrusted; the grader checks form and content on its side. Standard library only.
"""

from .bootstrap import CUT_MARK, KERNEL_PROBE, Recorder, after_import, around_import, collector_paused, prepare
from .failures import DO_NOT_INTERRUPT, MAX_TEXT, DeadlineError, MissingNameError, deadline, failure

__all__ = [
    "CUT_MARK",
    "DO_NOT_INTERRUPT",
    "KERNEL_PROBE",
    "MAX_TEXT",
    "DeadlineError",
    "MissingNameError",
    "Recorder",
    "after_import",
    "around_import",
    "collector_paused",
    "deadline",
    "failure",
    "prepare",
]
