"""Answer what the grader asks about the notebook's namespace at one test cell."""

import json
from pathlib import Path
from typing import Any

from .calls import Calls
from .data import VisibleImages, record_data
from .failures import restored_generators
from .layers import record_layer
from .maps import record_maps
from .models import record_model


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
