"""The hidden graders."""
