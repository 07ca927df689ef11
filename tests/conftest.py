"""What all tests share: one thread for torch, and a cache of data sets that outlives the run."""

from collections.abc import Iterator

import pytest
import torch

from autograder.language import Lang, speaking

torch.set_num_threads(1)


@pytest.fixture
def english() -> Iterator[None]:
    """Let what is read by students be said in English."""
    with speaking(Lang.EN):
        yield
