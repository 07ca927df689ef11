"""Measurements, each by its own command."""
