"""The hidden graders: plain pytest, run on evidence, never where student code runs."""
