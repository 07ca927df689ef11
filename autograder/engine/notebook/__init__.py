"""A submitted notebook, read against the instructor's: strictly, repaired, and nothing of it run."""
