"""A training step recorded once on the GPU and replayed, so that the GPU never waits for Python.

A step of a small network is a hundred kernels of a few microseconds each; launching them one by one
takes longer than running them. See https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs.
"""

from collections.abc import Callable

import torch

Step = Callable[[torch.Tensor], torch.Tensor]

WARM_UP = 3


class Replayed:
    """A training step for batches of `size` indices, as a CUDA graph.

    `step` takes the indices (B,) int64 of a batch, does all that belongs to the step and returns the
    loss, a scalar. It must not fetch anything from the device, and what changes from step to step
    must be in tensors. The first calls run as they are, so that the libraries settle; so do batches
    of another size, as an epoch's last. The loss returned is overwritten by the next call.
    """

    def __init__(self, step: Step, size: int, device: torch.device) -> None:
        self._step = step
        self._batch = torch.zeros(size, dtype=torch.int64, device=device)
        self._warm_ups = WARM_UP
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss = torch.zeros((), device=device)

    def __call__(self, batch: torch.Tensor) -> torch.Tensor:
        """Train on one batch; return its loss."""
        if len(batch) != len(self._batch):
            return self._step(batch)
        if self._warm_ups:
            self._warm_ups -= 1
            return self._aside(batch)
        self._batch.copy_(batch)
        graph = self._graph or self._record()
        graph.replay()
        return self._loss

    def _aside(self, batch: torch.Tensor) -> torch.Tensor:
        """Run on a stream of its own, as recording will."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            loss = self._step(batch)
        current.wait_stream(stream)
        return loss

    def _record(self) -> torch.cuda.CUDAGraph:
        """Record the step; this computes nothing yet."""
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self._loss = self._step(self._batch)
        self._graph = graph
        return graph
