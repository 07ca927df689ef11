"""nbgrader integration: the classes that `nbgrader_config.py` names, by import path, for nbgrader's converters."""
