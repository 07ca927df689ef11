"""What an attack is: cells of the release filled in, what honest work beside it earns, and what the report must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.submissions.right import TASK_1, TASK_2

IMPORTS = """
import os, re, signal, sys, threading, time
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
models, histories, results = {}, {}, {}
"""
ONE_ID = "task1_convolution"
NOTHING = dict.fromkeys(("task3_data", "task1_convolution", "task1_matrix", "task1_same", "task5_cam"), "")
"""Nothing of the release's own is left to run: an attack pays for no import and no data set it does not use."""

TASK_2_POINTS = {f"task2_case_{n}_tests": 1.0 for n in (1, 2, 3)}
TASK_1_POINTS = {"task1_convolution_tests": 4.0}
CONVOLUTION = {ONE_ID: TASK_1[ONE_ID]}

MARKER = "splot-attacker"
"""Name of every process that an attack leaves behind; each run puts one of its own in its place, as long as this one."""

PATTERN = "canary-[0-9a-f]{32}"
"""What every canary looks like; an attack prints whatever it finds of that form."""


@dataclass(frozen=True)
class Attack:
    """One hostile submission.

    Attributes:
        name: the student's name, and so the folder's.
        row: what it belongs to of the rows that `SECURITY.md` lists.
        tries: what it is after, in a few words.
        cells: the release's cells as the attacker fills them.
        earns: points by test cell that its honest part deserves; all other machine-graded cells must be 0.
        says: what the report must tell, as a regular expression over its notes and messages.
        open: cells that a person has to decide.
        soak: it waits for long, or stands close to another: `make soak` runs it.
        reshape: changes to the notebook file itself, beyond the cells' text.

    """

    name: str
    row: str
    tries: str
    cells: Mapping[str, str]
    earns: Mapping[str, float] = field(default_factory=lambda: TASK_2_POINTS)
    says: str = ""
    open: tuple[str, ...] = ()
    soak: bool = False
    reshape: Callable[[Any], None] | None = None


def early(code: str) -> dict[str, str]:
    """Fill in Task 2 rightly, with `code` in the very first cell."""
    return NOTHING | TASK_2 | {"install": IMPORTS + code}


def late(code: str) -> dict[str, str]:
    """Fill in Task 2 rightly, with `code` in a cell after its tests."""
    return NOTHING | TASK_2 | {"install": IMPORTS, "task3_model": code}


def between(code: str) -> dict[str, str]:
    """Fill in Task 2 rightly, with `code` at the head of its second case: what that breaks, the others must survive."""
    return NOTHING | TASK_2 | {"install": IMPORTS, "task2_case_2": code + TASK_2["task2_case_2"]}


def function(code: str, first: str = "") -> dict[str, str]:
    """Task 1 as `code` has it, and Task 2 right."""
    return NOTHING | TASK_2 | {"install": IMPORTS + first, ONE_ID: code}
