"""Call a function of the notebook with given inputs and write down the array it returns."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .failures import TEXT, AbsentError, deadline, failure
from .observe import count_steps, reached_libraries

SECONDS = 10.0


def record_call(namespace: dict[str, Any], request: dict[str, Any], source: Path, target: Path) -> list[dict[str, Any]]:
    """Call once with NumPy arrays and once with torch tensors; each call has its own copies of the inputs."""
    records = []
    for flavour in ("numpy", "torch"):
        record: dict[str, Any] = {"kind": "call", "name": request["name"], "flavour": flavour}
        try:
            function = find_function(namespace, request["function"])
            record |= _call(function, request, source, flavour, target)
        except BaseException as error:  # noqa: BLE001 - whatever a student raises, sys.exit included, is an answer
            record["failure"] = failure(error)
        records.append(record)
    return records


def find_function(namespace: dict[str, Any], name: str) -> Callable[..., Any]:
    """Return the notebook's function of this name; raises `AbsentError` where there is none."""
    if name not in namespace:
        raise AbsentError(name)
    function = namespace[name]
    if not callable(function):
        raise AbsentError(f"{name}: {type(function).__name__}")
    return function  # type: ignore[no-any-return]


def _call(
    function: Callable[..., Any], request: dict[str, Any], source: Path, flavour: str, target: Path
) -> dict[str, Any]:
    arguments = _arguments(request["arguments"], source, flavour)
    before = _arguments(request["arguments"], source, "numpy")
    with deadline(SECONDS):
        returned = function(*arguments)
    kept = all(np.array_equal(_plain(a), b) for a, b in zip(arguments, before, strict=True))
    record: dict[str, Any] = {"returned": describe(returned)[:TEXT], "inputs_kept": kept}
    array = as_array(returned)
    if array is not None:
        np.save(target / f"{request['name']}-{flavour}.npy", array, allow_pickle=False)
        record["array"] = True
    if request["observe"]:
        record |= _observe(function, request, source, flavour)
    return record


def _plain(argument: Any) -> Any:
    return argument.numpy() if isinstance(argument, torch.Tensor) else argument


def _observe(function: Callable[..., Any], request: dict[str, Any], source: Path, flavour: str) -> dict[str, Any]:
    """Call twice more: once to see which library convolutions are reached, once to count steps."""
    arguments, again = (_arguments(request["arguments"], source, flavour) for _ in range(2))
    with deadline(SECONDS):
        reached = reached_libraries(lambda: function(*arguments))
    with deadline(SECONDS):
        steps = count_steps(lambda: function(*again))
    return {"reached": reached, "steps": steps}


def _arguments(specs: list[dict[str, Any]], source: Path, flavour: str) -> list[Any]:
    arguments: list[Any] = []
    for spec in specs:
        if "value" in spec:
            arguments.append(spec["value"])
        else:
            array = np.load(source / spec["array"], allow_pickle=False)
            arguments.append(torch.from_numpy(array) if flavour == "torch" else array)
    return arguments


def describe(value: object) -> str:
    """Name a value's type, and its dtype where it has one."""
    kind = type(value)
    text = f"{kind.__module__}.{kind.__name__}"
    dtype = getattr(value, "dtype", None)
    return f"{text} {dtype}" if isinstance(dtype, np.dtype | torch.dtype) else text


def as_array(value: object) -> np.ndarray[Any, Any] | None:
    """Return plain numbers as they are in memory, or None where the value is not an array of numbers."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = value.float() if value.dtype is torch.bfloat16 else value
        value = value.numpy()
    if not isinstance(value, np.ndarray):
        return None
    plain = np.array(value, subok=False, copy=True, order="C")
    return plain if plain.dtype.kind in "biuf" else None
