"""Rows 2, 8 and 13: writing the verdict oneself, and files that are none."""

from tests.submissions.hostile.attack import (
    CONVOLUTION,
    IMPORTS,
    MARKER,
    NOTHING,
    TASK_2_POINTS,
    Attack,
    early,
)
from tests.submissions.right import TASK_2

REPORT = """
import json
verdict = json.dumps({"schema": "splot/report/v1", "status": "graded", "score": 20, "max_score": 20, "cells": [],
                      "records": [], "tests": [{"name": "all", "score": 20, "status": "passed"}]})
for folder in ("/splot", "/splot/outbox", "/splot/outbox/..", "/splot/inbox", "/splot/lib", "/tmp", ".", "..", "/"):
    for name in ("report.json", "evidence.json", "results.json", "junit.xml", "gradebook.db", "answer.json", "conftest.py"):
        try:
            with open(f"{folder}/{name}", "w") as file:
                file.write(verdict)
        except OSError:
            pass
"""

FORGED_ANSWER = """
import json
layer = {"kind": "layer", "type": "Conv2d", "is_conv2d": True, "in_channels": 3, "out_channels": 64,
         "kernel_size": [9999, 9999], "stride": [0, 0], "padding": [2, 2], "dilation": [1, 1]}
for n in (1, 2, 3):
    folder = f"/splot/outbox/task2_case_{n}_tests"
    os.makedirs(folder)
    with open(folder + "/answer.json", "w") as file:
        json.dump({"records": [layer | {"name": f"case_{n}"}], "score": 1, "passed": True}, file)
    os.chmod(folder + "/answer.json", 0o444)
    os.chmod(folder, 0o555)
"""

# The recorders are in reach once they were asked; they write what they are told to.
FORGED_RECORDS = """
import json
recorders = sys.modules["splot_probe_of_this_kernel"]._recorders
rubbish = [
    {"kind": "layer", "name": "case_2", "in_channels": 2**70},
    {"kind": "verdict", "name": "case_2", "score": 20},
    {"kind": "call", "name": "../../../report", "flavour": "numpy", "array": True},
    {"kind": "layer", "name": "case_2", "kernel_size": [float("nan"), 1]},
    {"kind": "layer", "name": "x" * 10**6},
]
recorders["layer"] = lambda namespace, request, *_: rubbish[:1] if request["name"] == "case_2" else rubbish[1:2]
"""

MANY_RECORDS = """
recorders = sys.modules["splot_probe_of_this_kernel"]._recorders
recorders["layer"] = lambda *_: [{"kind": "layer", "name": "case_2", "type": "x" * 900}] * 100_000
"""


def instead_of_arrays(*makers: str) -> dict[str, str]:
    """Task 1 right, but where each test cell's arrays belong something else is put."""
    chosen = dict(zip(("task1_convolution", "task1_matrix", "task1_same"), makers, strict=True))
    swap = (
        "import stat\nsave = np.save\n"
        "def put(target, array, **options):\n"
        "    target = str(target); put_instead = globals().get('instead')\n"
        "    return put_instead(target) if put_instead else save(target, array, **options)\n"
        "np.save = put\n"
        "def npy(target, descr, shape, content=b''):\n"
        "    header = f\"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\".ljust(117).encode() + b'\\n'\n"
        "    open(target, 'wb').write(b'\\x93NUMPY\\x01\\x00v\\x00' + header + content)\n"
    )
    right = CONVOLUTION["task1_convolution"]
    cells = {name: f"def instead(target):\n    {maker}\n" for name, maker in chosen.items()}
    cells["task1_convolution"] += right
    cells["task1_matrix"] += "convolution_matrix = convolution"
    cells["task1_same"] += "def convolution_same(X, K, q):\n    return X"
    return NOTHING | TASK_2 | cells | {"install": IMPORTS + swap}


LINKS = instead_of_arrays(
    "os.symlink('/etc/passwd', target)",
    "os.symlink('/proc/self/environ', target)",
    "first = '/splot/outbox/first'; open(first, 'wb').write(b'x'); os.link(first, target)",
)
ODD_FILES = instead_of_arrays(
    "os.mkfifo(target)",
    "open(target, 'wb').truncate(1 << 29)",
    "os.mkdir(target)",
)
PICKLES = instead_of_arrays(
    "npy(target, '|O', '(1,)', b'cposix\\nsystem\\n(S\"touch /tmp/pickled\"\\ntR.')",
    "npy(target, '<f8', '(99999999999, 99999999999)')",
    "open(target, 'wb').write(b'PK\\x03\\x04' + bytes(1000))",
)

# A process exchanges the folder of an answer that earns nothing anyway with a link to a folder of the host's, over and over.
EXCHANGES = f"""
import ctypes
exchange = ctypes.CDLL(None).renameat2
if os.fork() == 0:
    here = [f"/splot/outbox/task1_{{name}}_tests".encode() for name in ("convolution", "matrix", "same")]
    for n, name in enumerate(here):
        os.symlink("/tmp/{MARKER}", f"/splot/outbox/link{{n}}")
    while True:
        for n, name in enumerate(here):
            exchange(-100, f"/splot/outbox/link{{n}}".encode(), -100, name, 2)
"""

ATTACKS = (
    Attack("exchanges-folders-for-links", "22", "a root grader that changes the host's files", early(EXCHANGES), soak=True),
    Attack("writes-reports", "2", "full marks in a file of its own", early(REPORT), soak=True),
    Attack("answers-beforehand", "2, 8", "records that say what it likes", early(FORGED_ANSWER),
           dict.fromkeys(TASK_2_POINTS, 0.0)),
    Attack("forges-records", "8", "records that are none", NOTHING | TASK_2 | {"install": IMPORTS,
           "task2_case_2": FORGED_RECORDS + TASK_2["task2_case_2"]}, {"task2_case_1_tests": 1}, soak=True),
    Attack("forges-a-flood-of-records", "8, 12", "more records than anybody reads",
           NOTHING | TASK_2 | {"install": IMPORTS, "task2_case_3": MANY_RECORDS + TASK_2["task2_case_3"]},
           TASK_2_POINTS | {"task2_case_3_tests": 0}, soak=True),
    Attack("links-for-arrays", "13", "the grader's files as its own answer", LINKS),
    Attack("odd-files-for-arrays", "13", "a grader that hangs on a pipe or fills up", ODD_FILES, soak=True),
    Attack("pickles-for-arrays", "9", "code that runs where its answer is read", PICKLES, soak=True),
)  # fmt: skip
