"""Grade notebooks on convolutional networks: run them in a sandbox, judge what they computed."""

import sys

SLOW_FORMATS = frozenset({"isoduration", "rfc3986_validator", "rfc3987_syntax"})


class _WithoutSlowFormats:
    """Hides from jsonschema, while it is imported, what it would check durations and web addresses with.

    nbformat needs jsonschema, which compiles a grammar of addresses as it is imported: a second or two of a command's
    start, for checks that no notebook's schema asks for. Without these packages it leaves the checks out.
    """

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        """Find nothing; raises `ModuleNotFoundError` where jsonschema asks for one of `SLOW_FORMATS`."""
        importing = "jsonschema" in sys.modules and not hasattr(sys.modules["jsonschema"], "validate")
        if importing and name in SLOW_FORMATS:
            raise ModuleNotFoundError(name, name=name)


if "jsonschema" not in sys.modules:
    sys.meta_path.insert(0, _WithoutSlowFormats)
