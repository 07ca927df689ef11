"""Judging: hidden graders run on stored evidence, in a confined process, and become checks, cells and points."""
