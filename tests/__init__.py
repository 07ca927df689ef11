"""Tests, one file a module; `submissions` builds notebooks as students hand them in."""
