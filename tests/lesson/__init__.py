"""Tests of this lesson: its graders, data, notebook and pictures."""
