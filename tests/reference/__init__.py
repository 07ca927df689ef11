"""Tests of the reference solution."""
