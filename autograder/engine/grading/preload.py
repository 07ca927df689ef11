"""Imports what workers need; multiprocessing's fork server imports this module before it forks a worker (`pool.py`).

The server imports and reads all that grading needs once. It has one thread, so that forking it is safe.
"""

import atexit
import gc
import os
import signal
import sys
from multiprocessing import parent_process
from pathlib import Path

from autograder.engine.grading.task import FROM_TERMINAL

if "SPLOT_RUN" not in os.environ or parent_process() is not None:
    raise ImportError("This module is for the fork server that pool.py starts.")
RUN = Path(os.environ["SPLOT_RUN"])
SERVER = os.getpid()
ALONE = os.environ.get("SPLOT_ALONE") == "1"
"""Whether one submission is graded: then what judging needs is imported while it runs (`early_judge.py`), and not here."""
SEARCH_PATH = tuple(sys.path)
"""Where workers look for modules: without the folders that the command looks in first, its script's or a course's."""

# Before the imports that take long: Ctrl-C is for the command alone. What came so far was blocked (`pool.py`) and is
# dropped. Workers inherit that SIGINT is ignored.
_before = {number: signal.signal(number, signal.SIG_IGN) for number in FROM_TERMINAL}
os.setsid()
signal.pthread_sigmask(signal.SIG_UNBLOCK, FROM_TERMINAL)
for _number in FROM_TERMINAL - {signal.SIGINT}:
    signal.signal(_number, _before[_number])
_errors = os.open(RUN / "errors", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
_nothing = os.open(os.devnull, os.O_RDWR)
os.dup2(_nothing, 1)
os.dup2(_errors, 2)  # read by the command only where the server ends before it is ready
os.close(_errors)

# A worker needs nothing of the command's script, which multiprocessing would run again if it were not here already.
if os.environ["SPLOT_SCRIPT"]:
    sys.modules["__main__"].__file__ = os.environ["SPLOT_SCRIPT"]

try:
    from IPython.core import inputtransformer2  # noqa: F401 - what a judge reads cells with, imported where it is used

    from autograder.engine.grading import stages  # noqa: F401 - what a worker will run
    from autograder.engine.grading.early_judge import prepare_judging
    from autograder.engine.grading.folders import delete_left
    from autograder.engine.grading.judge_process import forbid_tracing
    from autograder.engine.lesson import find_lesson

    forbid_tracing()
    _lesson = find_lesson(os.environ["SPLOT_LESSON"])
    if not ALONE:
        prepare_judging(_lesson)
except ImportError as error:  # which the fork server would ignore without a message
    raise RuntimeError(str(error)) from error

gc.freeze()
atexit.register(delete_left, RUN)  # where the command was killed; a command that lives goes on with another server
os.dup2(_nothing, 2)
os.close(_nothing)
(RUN / "errors").unlink()
