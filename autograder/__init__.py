"""Grade notebooks on convolutional networks: run them in a sandbox, judge what they computed."""

import sys

# jsonschema, which nbformat needs, compiles a grammar of web addresses as it is imported: a second or two of every
# command's start, for a check that no notebook's schema asks for. Without that package it leaves the check out.
if "jsonschema" not in sys.modules:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    try:
        import nbformat  # noqa: F401
    finally:
        del sys.modules["rfc3987_syntax"]
