"""Attacks, graded for real."""
