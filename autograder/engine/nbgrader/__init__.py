"""At home in nbgrader: what `nbgrader_config.py` puts into nbgrader's own converters, each class named there by its path."""
