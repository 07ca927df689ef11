"""Models as data: captured inside the sandbox, rebuilt outside. Serves any PyTorch homework.

Imports no torch: pages and reports need only the size limits of a model's files.
"""

from autograder.engine.errors import EvidenceError
from autograder.engine.text import say

__all__ = ["MAX_GRAPH_BYTES", "MAX_WEIGHT_BYTES", "refusal", "too_heavy"]

MAX_GRAPH_BYTES = 16_000_000
MAX_WEIGHT_BYTES = 512_000_000  # of all models of a submission together, so of each as well


def refusal(*, pl: str, en: str) -> EvidenceError:
    """Return the error that says what is wrong with a model's files, in the language in force."""
    return EvidenceError(say(pl=pl, en=en))


def too_heavy(what: str) -> EvidenceError:
    """Return the error for a file or model with which a submission's weights exceed `MAX_WEIGHT_BYTES`."""
    megabytes = MAX_WEIGHT_BYTES // 1_000_000
    return refusal(
        pl=f"{what}: wagi wszystkich modeli mogą zajmować razem najwyżej {megabytes} MB, a tu ten limit jest przekroczony.",
        en=f"{what}: the weights of all models may take {megabytes} MB together; here they take more.",
    )
