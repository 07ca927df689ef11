"""What all tests share: one thread for torch, which waits without spinning, and the order of the modules."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes: tests share two cores with sandboxes

import torch

from autograder.engine.text import Lang, in_language

torch.set_num_threads(1)
os.environ.pop("GITHUB_ACTIONS", None)  # on its runners the command says more: tests/test_cli.py

LONGEST = (
    "test_hostile_secrets",
    "test_graders_task4",
    "test_nbgrader",
    "test_collect",
    "test_graders_task5",
    "test_hostile_limits",
    "test_grading",
    "test_faults",
    "test_ownership",
    "test_cli",
    "test_cluster",
)
"""Modules that grade classes for real, wait for limits or trace many models: begun first, lest one of them be left at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first; with `--no-loadscope-reorder` they are handed out in this order."""
    order = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(LONGEST)))


@pytest.fixture
def english() -> Iterator[None]:
    """Let what is read by students be said in English."""
    with in_language(Lang.EN):
        yield
