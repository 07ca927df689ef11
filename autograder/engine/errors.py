"""Two error families: the submission failed, or the grader failed.

What a student did wrong costs points and never stops the class; what the grader broke is `ungraded`, never a zero.
"""

from autograder.engine.text import printable

LONGEST = 600


class SplotError(Exception):
    """Base of all errors; the message is one sentence for a person: what happened, where, what to do."""


class SubmissionError(SplotError):
    """The submission cannot be read as one: not a notebook, empty, truncated, not UTF-8."""


class EvidenceError(SplotError):
    """Evidence that came out of the sandbox does not have the form it must have.

    The message may quote it, so it is shortened to one line of `LONGEST` characters.
    """

    def __init__(self, sentence: str) -> None:
        super().__init__(printable(sentence, LONGEST))


class GraderError(SplotError):
    """The grader cannot do its work: no sandbox, no data set, a fault in a hidden grader."""


ALLOCATION = ("can't allocate memory", "not enough memory", "bad_alloc")  # in the exceptions of numeric libraries


def out_of_memory(error: Exception) -> bool:
    """Whether an exception, a numeric library's own included, says that memory ran out."""
    return isinstance(error, MemoryError) or any(message in str(error) for message in ALLOCATION)
