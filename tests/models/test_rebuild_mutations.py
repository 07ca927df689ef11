"""Graphs changed at random: `rebuild_model` refuses each with one sentence or builds a model that runs; it never breaks."""

import copy
import json
import random
import resource
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder.engine.errors import EvidenceError
from autograder.models.capture.export import export_model
from autograder.models.rebuild import rebuild_model
from autograder.models.rebuild.operations import functions
from tests.models import student_models as styles

Document = dict[str, Any]
STYLES = ("sequential", "Residual", "Regularized", "Attention", "WritesIntoSlices", "Shared")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Honest models as written by the probe, by style."""
    torch.manual_seed(0)
    folders = {style: tmp_path_factory.mktemp(style) for style in STYLES}
    for style, folder in folders.items():
        export_model(styles.STYLES[style](), torch.rand(2, 1, 28, 28), folder)
    return folders


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["same", "inf", "nan", "torch.float64", "torch.int64", "relu", "evil"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["node", "name"]), inner, max_size=1),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=150, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_value_anywhere_is_refused_or_built(data: st.DataObject, originals: dict[str, Path]) -> None:
    """Any JSON value put at any place of an honest graph leads to a model that runs, or to an `EvidenceError`."""
    origin = originals[data.draw(st.sampled_from(STYLES))]
    document = json.loads((origin / "graph.json").read_text())
    place = data.draw(st.sampled_from(sorted(places(document), key=str)))
    put(document, place, data.draw(VALUES))
    survives(document, origin)


def places(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON document but the root, by its path."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return ([path] if path else []) + [place for key, item in items for place in places(item, (*path, key))]


def put(document: Any, path: tuple[Any, ...], value: object) -> None:
    """Set the value at a place."""
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def survives(document: Document, origin: Path) -> bool:
    """Rebuild and run a changed document; anything but success or an `EvidenceError` propagates."""
    folder = origin.parent / "changed"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(origin, folder)
    (folder / "graph.json").write_text(json.dumps(document))
    try:
        rebuilt = rebuild_model(folder)
        rebuilt(torch.zeros(rebuilt.input_shape))
    except EvidenceError as error:
        sentence = str(error)
    else:
        return True
    assert sentence
    assert "\n" not in sentence
    return False


NUMBERS = [0, -1, 1, 2, 3, 7, 2**20, 2**31, 2**63 - 1, -(2**63), 0.5, -1.5, 1e308, None, True, "same", "nan", [], [0],
           [1, 1], [-1], [2**40], "torch.float64"]  # fmt: skip


def mutate(document: Document, chance: random.Random) -> None:
    """Swap operations, arguments, references and order; drop declared shapes, so that mistakes get deep."""
    nodes = document["nodes"]
    for _ in range(chance.choice([1, 1, 2, 3, 6])):
        entry, other = chance.choice(nodes), chance.choice(nodes)
        kind = chance.randrange(5)
        if kind == 0:
            entry["op"] = chance.choice(sorted(functions()))
        elif kind == 1 and entry["args"]:
            entry["args"][chance.randrange(len(entry["args"]))] = chance.choice(NUMBERS)
        elif kind == 2:
            entry["args"].append(chance.choice(NUMBERS))
        elif kind == 3 and entry["args"]:
            entry["args"][0] = {"node": other["name"]}
        else:
            nodes.insert(chance.randrange(len(nodes)), copy.deepcopy(entry) | {"name": f"copy{chance.random()}"[2:]})
    for entry in nodes if chance.random() < 0.5 else ():
        entry["shape"] = entry["dtype"] = None


def run_mutations(originals: dict[str, Path], seed: int, count: int) -> int:
    """Rebuild that many mutated graphs; return how many still made a model."""
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    built = 0
    for _ in range(count):
        origin = originals[chance.choice(STYLES)]
        document = json.loads((origin / "graph.json").read_text())
        mutate(document, chance)
        built += survives(document, origin)
    return built


def test_mutated_graphs_are_refused_or_built(originals: dict[str, Path]) -> None:
    """Graphs with swapped operations, arguments and references never do worse than an `EvidenceError`."""
    assert 0 < run_mutations(originals, seed=1, count=150) < 150


@pytest.mark.soak
def test_many_mutated_graphs_are_refused_or_built(originals: dict[str, Path]) -> None:
    """The same for some thousands, within two gigabytes."""
    assert 0 < run_mutations(originals, seed=2, count=5_000) < 5_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000
