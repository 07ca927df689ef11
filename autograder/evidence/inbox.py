"""Put what is asked at one test cell into the inbox, as data: names and inputs, never an expected value."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autograder.evidence.probes import IMAGE_SHAPES, CallProbe, DataProbe, MapProbe, Probe, generator, random_images


def write_requests(probes: Sequence[Probe], seed: str, folder: Path) -> None:
    """Write what is asked at one test cell, and the inputs that go with it, where the probe reads it."""
    folder.mkdir(parents=True, exist_ok=True)
    requests = []
    for probe in probes:
        request: dict[str, object] = {"kind": type(probe).__name__.removesuffix("Probe").lower(), "name": probe.name}
        if isinstance(probe, CallProbe):
            drawn = probe.draw(generator(seed, f"{probe.cell}/{probe.name}"))
            request |= {"function": probe.function, "steps": probe.steps}
            request["arguments"] = [_argument(value, folder, f"{probe.name}-{i}.npy") for i, value in enumerate(drawn)]
        elif isinstance(probe, MapProbe):
            request["models"] = list(probe.models)
        elif isinstance(probe, DataProbe):
            for name in IMAGE_SHAPES:
                np.save(folder / f"{name}.npy", random_images(seed, name), allow_pickle=False)
        requests.append(request)
    (folder / "request.json").write_text(json.dumps(requests))
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _argument(value: object, folder: Path, name: str) -> dict[str, object]:
    if isinstance(value, int):
        return {"value": value}
    np.save(folder / name, np.asarray(value), allow_pickle=False)
    return {"array": name}
