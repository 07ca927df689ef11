"""What the judge draws or notes on its way, for the pages people read."""

from .networks import look

__all__ = ["look"]
