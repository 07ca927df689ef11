"""Prepares multiprocessing's fork server, which imports this before it forks the first worker: see `pool.py`.

The server imports all that grading needs once. It computes nothing and has one thread, so that forking it is safe.
"""

import atexit
import gc
import importlib
import os
import signal
import sys
from pathlib import Path

if "SPLOT_RUN" not in os.environ:
    raise ImportError("This module is for the fork server that pool.py starts.")
RUN = Path(os.environ["SPLOT_RUN"])

# Before the imports that take long: Ctrl-C is for the command alone. Workers inherit that SIGINT is ignored.
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_IGN)
_errors, _nothing = os.open(RUN / "errors", os.O_WRONLY | os.O_CREAT, 0o600), os.open(os.devnull, os.O_RDWR)
os.dup2(_nothing, 1)
os.dup2(_errors, 2)  # read by the command only where the server ends before it is ready
os.close(_errors)

# A worker needs nothing of the command's script, which multiprocessing would run again if it were not here already.
if os.environ["SPLOT_SCRIPT"]:
    sys.modules["__main__"].__file__ = os.environ["SPLOT_SCRIPT"]

try:
    from autograder.engine.files import delete
    from autograder.engine.grading import stages  # noqa: F401 - what a worker will run
    from autograder.engine.grading.judge_process import conceal
    from autograder.engine.judging import gather_probes
    from autograder.engine.lesson import find_lesson

    conceal()
    _lesson = find_lesson(os.environ["SPLOT_LESSON"])
    for _module in _lesson.heavy:
        importlib.import_module(_module)
    _lesson.threads(1)  # a fork would lose the others
    gather_probes(_lesson)
except ImportError as error:  # which the fork server would pass over in silence
    raise RuntimeError(str(error)) from error

gc.freeze()
atexit.register(delete, RUN)  # it ends after the command and all workers, also where the command was killed
os.dup2(_nothing, 2)
os.close(_nothing)
(RUN / "errors").unlink()
