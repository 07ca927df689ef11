"""Answer what the grader asks about the notebook's namespace at one test cell."""

import json
from pathlib import Path
from typing import Any

from torch import nn

from .calls import Calls
from .data import VisibleImages, record_data
from .failures import TEXT, AbsentError, failure, restored_generators
from .maps import record_maps
from .models import record_model


def record_layer(namespace: dict[str, Any], name: str) -> dict[str, Any]:
    """Describe the layer the notebook named `name`; anything but an `nn.Conv2d` is described by its type alone."""
    record: dict[str, Any] = {"kind": "layer", "name": name}
    try:
        if name not in namespace:
            raise AbsentError(name)
        layer = namespace[name]
        record["type"] = type(layer).__name__[:TEXT]
        if isinstance(layer, nn.Conv2d):
            record |= {"is_conv2d": True, **_parameters(layer)}
    except Exception as error:  # noqa: BLE001 - a layer with properties that raise is an answer too
        record["failure"] = failure(error)
    return record


def _parameters(layer: nn.Conv2d) -> dict[str, Any]:
    padding = layer.padding
    return {
        "in_channels": int(layer.in_channels),
        "out_channels": int(layer.out_channels),
        "kernel_size": _pair(layer.kernel_size),
        "stride": _pair(layer.stride),
        "padding": [0, 0] if isinstance(padding, str) else _pair(padding),
        "padding_name": padding[:TEXT] if isinstance(padding, str) else "",
        "dilation": _pair(layer.dilation),
        "groups": int(layer.groups),
    }


def _pair(value: Any) -> list[int]:
    return [int(part) for part in (value if isinstance(value, tuple | list) else (value, value))]


class Probe:
    """Answers requests: `request.json` and arrays from the inbox, records and arrays to the outbox."""

    def __init__(self, namespace: dict[str, Any], inbox: str, outbox: str) -> None:
        self.namespace = namespace
        self.inbox = Path(inbox)
        self.outbox = Path(outbox)
        self.images = VisibleImages()
        self.calls = Calls()

    def take(self, cell: str) -> None:
        """Answer everything asked at one test cell; `answer.json` is written last."""
        source, target = self.inbox / cell, self.outbox / cell
        target.mkdir(parents=True, exist_ok=True)
        records: list[dict[str, Any]] = []
        with restored_generators():
            for request in json.loads((source / "request.json").read_text()):
                records += self._answer(request, source, target)
        (target / "answer.json").write_text(json.dumps({"records": records}))

    def _answer(self, request: dict[str, Any], source: Path, target: Path) -> list[dict[str, Any]]:
        kind = request["kind"]
        if kind == "call":
            return self.calls.record(self.namespace, request, source, target)
        if kind == "layer":
            return [record_layer(self.namespace, request["name"])]
        if kind == "map":
            return record_maps(self.namespace, request["models"], self.images, target)
        if kind == "data":
            return [record_data(self.namespace, self.images, source, target)]
        return [record_model(self.namespace, request["name"], self.images, target)]
