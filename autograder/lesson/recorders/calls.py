"""Call a function of the notebook with given inputs and write down the array it returns."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...engine.inside import MAX_TEXT, DeadlineError, MissingNameError, deadline, failure
from .observe import Observed, observed

SECONDS = 20.0
TIMEOUTS = 2
"""After this many timeouts with one array type, its further calls are skipped."""


class Calls:
    """Calls functions of the notebook, each once with NumPy arrays and once with torch tensors."""

    def __init__(self) -> None:
        self.late: Counter[tuple[str, str]] = Counter()

    def record(
        self, namespace: dict[str, Any], request: dict[str, Any], source: Path, target: Path
    ) -> list[dict[str, Any]]:
        """Call the function with NumPy arrays and with tensors, observed, each with its own copies of the inputs."""
        records = []
        for flavour in ("numpy", "torch"):
            record: dict[str, Any] = {"kind": "call", "name": request["name"], "flavour": flavour}
            records.append(record)
            kind = request["function"], flavour
            try:
                function = find_function(namespace, request["function"])
                if self.late[kind] >= TIMEOUTS:
                    raise DeadlineError(f"{SECONDS:g} s")
                _call(function, request, source, target, record)
            except BaseException as error:  # noqa: BLE001 - whatever a student raises, sys.exit included, is an answer
                record["failure"] = failure(error)
                self.late[kind] += isinstance(error, DeadlineError)
        return records


def find_function(namespace: dict[str, Any], name: str) -> Callable[..., Any]:
    """Return the notebook's function of this name; raises `MissingNameError` where there is none."""
    if name not in namespace:
        raise MissingNameError(name)
    function = namespace[name]
    if not callable(function):
        raise MissingNameError(f"{name}: {type(function).__name__}")
    return function  # type: ignore[no-any-return]


def _call(
    function: Callable[..., Any], request: dict[str, Any], source: Path, target: Path, record: dict[str, Any]
) -> None:
    """Call the function and write its result and the observations into `record`, also if it raises."""
    flavour = record["flavour"]
    arguments = _arguments(request["arguments"], source, flavour)
    before = _arguments(request["arguments"], source, "numpy")
    seen = Observed()
    try:
        # A tensor of a class of the student's own may compute when it is read: that is watched as well.
        with observed(count=request["steps"]) as seen, deadline(SECONDS):
            returned = function(*arguments)
            array, described = as_array(returned), describe(returned)[:MAX_TEXT]
            after = (value.detach().numpy() if isinstance(value, torch.Tensor) else value for value in arguments)
            kept = all(np.array_equal(a, b) for a, b in zip(after, before, strict=True))
    finally:
        record |= {"reached": sorted(seen.reached), "unseen": sorted(seen.unseen)}
    record |= {"returned": described, "inputs_kept": kept}
    record |= {"steps": seen.steps} if request["steps"] else {}
    if array is not None:
        np.save(target / f"{request['name']}-{flavour}.npy", array, allow_pickle=False)
        record["array"] = True


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
    """Return the value as a NumPy array of numbers, or None if it is not one."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().resolve_conj().resolve_neg()
        value = value.float() if value.dtype is torch.bfloat16 else value
        value = value.numpy()
    if not isinstance(value, np.ndarray):
        return None
    plain = np.array(value, subok=False, copy=True, order="C")
    return plain if plain.dtype.kind in "biuf" else None
