"""What all tests share: one thread for torch, which waits without spinning."""

import os
from collections.abc import Iterator

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch comes: tests share two cores with sandboxes

import torch

from autograder.engine.text import Lang, speaking

torch.set_num_threads(1)
os.environ.pop("GITHUB_ACTIONS", None)  # on its runners the command says more: tests/test_cli.py


@pytest.fixture
def english() -> Iterator[None]:
    """Let what is read by students be said in English."""
    with speaking(Lang.EN):
        yield
