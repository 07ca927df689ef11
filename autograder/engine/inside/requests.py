"""Answer what the grader asks about the notebook's namespace at one test cell."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .failures import restored_generators

Recorder = Callable[[dict[str, Any], dict[str, Any], Path, Path], list[dict[str, Any]]]
"""Takes the namespace, the request, the folder of its inputs, the folder for arrays; returns records."""


class Requests:
    """Answers requests: `request.json` and arrays from the inbox, records and arrays to the outbox."""

    def __init__(self, namespace: dict[str, Any], inbox: str, outbox: str, recorders: Mapping[str, Recorder]) -> None:
        self.namespace = namespace
        self.inbox = Path(inbox)
        self.outbox = Path(outbox)
        self.recorders = recorders

    def take(self, cell: str) -> None:
        """Answer everything asked at one test cell; `answer.json` is written last."""
        source, target = self.inbox / cell, self.outbox / cell
        target.mkdir(parents=True, exist_ok=True)
        records: list[dict[str, Any]] = []
        with restored_generators():
            for request in json.loads((source / "request.json").read_text()):
                records += self.recorders[request["kind"]](self.namespace, request, source, target)
        (target / "answer.json").write_text(json.dumps({"records": records}))
