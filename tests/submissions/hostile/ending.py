"""Rows 7 and 21: ending the process, and outliving it."""

from tests.submissions.hostile.attack import (
    MARKER,
    NOTHING,
    TASK_2_POINTS,
    Attack,
    between,
    early,
    late,
)
from tests.submissions.right import TASK_2

EXITS = """
import atexit
class Last:
    def __del__(self): os._exit(0)
atexit.register(print, "PASSED 20/20")
kept = Last()
exit(); quit()
raise SystemExit(0)
"""
KILLS_ALL = """
for victim in (os.getppid(), 1, -1):
    try:
        os.kill(victim, signal.SIGKILL)
    except OSError as error:
        print(error)
os.abort()
"""
STOPS = """
os.kill(os.getpid(), signal.SIGSTOP)
"""
LAYER_THAT_EXITS = """
class Exits(nn.Conv2d):
    @property
    def kernel_size(self): os._exit(0)
    @kernel_size.setter
    def kernel_size(self, value): pass

case_3 = Exits(16, 16, 3, dilation=2)
"""
DAEMON = f"""
import subprocess
for _ in range(2):
    stay = "trap \\"\\" HUP TERM INT; while true; do sleep 1; done"
    subprocess.run(["sh", "-c", f"setsid sh -c '{{stay}}' {MARKER} >/dev/null 2>&1 &"])
subprocess.Popen(["sh", "-c", "kill -STOP $$; sleep 999", "{MARKER}"], start_new_session=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.execvp("sh", ["sh", "-c", "trap '' HUP TERM INT; while true; do sleep 1; done", "{MARKER}"])
    os._exit(0)
"""
UNPRINTABLE = """
class Odd(BaseException):
    def __str__(self): raise self
    __repr__ = __str__
class case_4(type):
    def __getattribute__(self, name): raise Odd
raise Odd
"""

ATTACKS = (
    Attack("exits-politely", "7", "full marks by leaving early", late(EXITS), soak=True),
    Attack("exits-at-once", "7", "likewise, without goodbye", between("os._exit(0)\n"),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, r"kod wyjścia 0"),
    Attack("kills-everybody", "7, 20", "the sandbox's first process, and all others", late(KILLS_ALL)),
    Attack("stops-itself", "21", "a grader that waits for ever", late(STOPS), soak=True),
    Attack("exits-in-the-probe", "7", "an answer that is never given",
           NOTHING | TASK_2 | {"install": early("")["install"], "task2_case_3": LAYER_THAT_EXITS},
           TASK_2_POINTS | {"task2_case_3_tests": 0}, "zakończył się", soak=True),
    Attack("leaves-daemons", "21", "processes that outlive the run", early(DAEMON)),
    Attack("raises-the-unprintable", "7", "an exception that cannot be told", late(UNPRINTABLE), soak=True),
)  # fmt: skip
