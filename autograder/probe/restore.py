"""Look at a student's model and leave it as it was found."""

import random
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CONTAINERS = (dict, OrderedDict, list, set)
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True)
class _Module:
    """One module's mode and attributes, with a copy of what its own lists and dictionaries hold."""

    module: nn.Module
    training: bool
    attributes: dict[str, Any]
    contents: list[tuple[Any, Any]]

    @classmethod
    def of(cls, module: nn.Module) -> "_Module":
        attributes = dict(vars(module))
        held = [value for value in attributes.values() if type(value) in CONTAINERS]
        return cls(module, module.training, attributes, [(value, value.copy()) for value in held])

    def restore(self) -> None:
        for container, content in self.contents:
            if isinstance(container, list):
                container[:] = content
            else:
                container.clear()
                container.update(content)
        vars(self.module).clear()
        vars(self.module).update(self.attributes)
        if self.module.training != self.training:  # a ScriptModule keeps its mode elsewhere
            self.module.training = self.training


@contextmanager
def as_found(model: nn.Module) -> Iterator[None]:
    """Restore modes, attributes, hooks, buffers, gradients and random states when the block ends."""
    modules = [_Module.of(module) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    gradients = [(parameter, parameter.grad) for parameter in model.parameters()]
    states = _random_states()
    try:
        yield
    finally:
        for module in modules:
            module.restore()
        _restore_tensors(buffers, gradients)
        _restore_random(*states)


def drop_hooks(model: nn.Module) -> bool:
    """Remove every hook of the model (inside `as_found`); say whether there was one."""
    found = [vars(module).get(name) for module in model.modules() for name in HOOKS]
    hooks = [hooks for hooks in found if hooks]
    for registry in hooks:
        registry.clear()
    return bool(hooks)


def _restore_tensors(buffers: list[tuple[Tensor, Tensor]], gradients: list[tuple[nn.Parameter, Tensor | None]]) -> None:
    with torch.no_grad():
        for buffer, value in buffers:
            buffer.copy_(value)
    for parameter, gradient in gradients:
        parameter.grad = gradient


def _random_states() -> tuple[Any, Any, Tensor, list[Tensor]]:
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return random.getstate(), np.random.get_state(), torch.get_rng_state(), cuda  # noqa: NPY002


def _restore_random(python: Any, numpy: Any, cpu: Tensor, cuda: list[Tensor]) -> None:
    random.setstate(python)
    np.random.set_state(numpy)  # noqa: NPY002 - the student's own generator is the global one
    torch.set_rng_state(cpu)
    if cuda:
        torch.cuda.set_rng_state_all(cuda)
