"""Evidence as this lesson's graders read it: its records by what they are of."""

from pathlib import Path

from autograder.engine.evidence import Evidence
from autograder.lesson.records import AnyRecord, CallRecord, DataRecord, Flavour, LayerRecord, MapRecord, ModelRecord


class LessonEvidence(Evidence):
    """Read access to an evidence folder and the lesson's records in it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.taken: dict[str, tuple[AnyRecord, ...]] = self.records(AnyRecord)

    def call(self, cell: str, name: str, flavour: Flavour) -> CallRecord | None:
        """One call's record."""
        return next(
            (
                record
                for record in self._records(cell)
                if isinstance(record, CallRecord) and (record.name, record.flavour) == (name, flavour)
            ),
            None,
        )

    def layer(self, cell: str, name: str) -> LayerRecord | None:
        """One layer's record."""
        return next((r for r in self._records(cell) if isinstance(r, LayerRecord) and r.name == name), None)

    def model(self, name: str) -> ModelRecord | None:
        """The record of `models[name]`, from whichever cell took it."""
        return next((r for r in self._all() if isinstance(r, ModelRecord) and r.name == name), None)

    def maps(self, cell: str) -> list[MapRecord]:
        """Return what `cam` gave, in order of model and image."""
        return [record for record in self._records(cell) if isinstance(record, MapRecord)]

    def data(self) -> DataRecord | None:
        """What is known of `testset`."""
        return next((r for r in self._all() if isinstance(r, DataRecord)), None)

    def model_folder(self, name: str) -> Path:
        """Where the graph and weights of `models[name]` are."""
        return self.folder / "models" / name

    def _records(self, cell: str) -> tuple[AnyRecord, ...]:
        return self.taken.get(cell, ())

    def _all(self) -> list[AnyRecord]:
        return [record for records in self.taken.values() for record in records]
