"""What the judge draws or notes on its way, for the pages people read."""

from .look import look

__all__ = ["look"]
