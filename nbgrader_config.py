"""The course's nbgrader settings: what a student sees in place of a solution, and how long a cell may run."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821  traitlets puts it into a config file's namespace

# Not raising: an untouched stub runs, returns zeros, and fails its tests with a message a student can use.
c.ClearSolutions.code_stub = {"python": "# UZUPEŁNIJ TUTAJ"}
c.ClearSolutions.text_stub = "*Tu wpisz swoją odpowiedź.*"

# Running the source beside itself leaves ./data there; a data set does not belong in a release.
c.CourseDirectory.ignore = [".ipynb_checkpoints", "*.pyc", "__pycache__", ".pytest_cache", "data"]

# Validate trains every model on 600 images: far more than nbgrader's 30 s where the machine is slow.
c.Execute.timeout = 600
