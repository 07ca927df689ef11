"""Task 5 (bonus): class activation maps, against Σ_k w_ck f_k(x, y) computed on the lifted model.

A map may have any resolution and any positive scale and offset, with or without a final ReLU; so it is compared with the
right one by correlation, at its own resolution, under the usual ways of resizing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.evidence import Evidence, MapRecord
from autograder.graders.flow import Flow
from autograder.language import say
from autograder.lift import StepKind
from autograder.measure import Measured, Measurements
from autograder.outbox import map_array
from autograder.probes import MapProbe, ModelProbe
from autograder.verdicts import AbsentError, UndecidedError, absent

CELL = "task5_cam_tests"
SOLUTION = "task5_cam"
PROBES = (ModelProbe(CELL, "cam"), MapProbe(CELL, "maps"))
AGREEMENT = 0.98
MODES = ("nearest", "bilinear", "bicubic")


@pytest.mark.cell(CELL, pl="Mapa aktywacji przewidzianej klasy", en="Activation map of the predicted class")
def test_cam(evidence: Evidence, measured: Measurements) -> None:
    records = evidence.maps(CELL)
    probed = evidence.probed.get(CELL)
    if probed is None or probed.failure is not None:
        raise absent(evidence, probed.failure if probed else None, "cam(model, image, class_index)", SOLUTION)
    name, model = mapped_model(records, measured)
    rights = activation_maps(model, [record for record in records if record.model == name])
    for record, right in rights:
        agrees(evidence, record, right)


def mapped_model(records: list[MapRecord], measured: Measurements) -> tuple[str, Measured]:
    """Return the first model, `cam` before all, that ends in global average pooling and a single linear layer."""
    for name in dict.fromkeys(record.model for record in records):
        try:
            candidate = measured.of(name, SOLUTION)
        except (AbsentError, UndecidedError):
            continue
        flow = Flow(candidate.model)
        linear = flow.of(StepKind.LINEAR)
        if len(linear) == 1 and flow.averaged(linear[0]):
            return name, candidate
    raise AssertionError(
        say(
            pl="Żadna z sieci w models nie kończy się warstwą Global Average Pooling i jedną warstwą liniową, "
            'a tylko dla takiej CAM ma sens; możesz dodać osobną jako models["cam"].',
            en="No network in models ends in global average pooling and a single linear layer, and only such a one has "
            'a CAM; you may add another as models["cam"].',
        )
    )


def activation_maps(measured: Measured, records: list[MapRecord]) -> list[tuple[MapRecord, Tensor]]:
    """Compute the right map (h, w) for each record."""
    model = measured.model
    flow = Flow(model)
    pool = flow.of(StepKind.GLOBAL_POOL)[-1].layer
    linear = flow.of(StepKind.LINEAR)[0].layer
    assert isinstance(pool, nn.Module)
    assert isinstance(linear, nn.Linear)
    with inputs_of(pool) as seen, torch.inference_mode():
        model(measured.visible_batch())
    maps = seen[-1].double()
    weights = linear.weight.detach().double()
    return [(r, torch.einsum("k,khw->hw", weights[r.class_index], maps[r.image])) for r in records if known(r, weights)]


def known(record: MapRecord, weights: Tensor) -> bool:
    """Whether the record names a class there is."""
    return 0 <= record.class_index < len(weights)


@contextmanager
def inputs_of(layer: nn.Module) -> Iterator[list[Tensor]]:
    """Collect what a layer reads while the block runs."""
    seen: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0].detach()))
    try:
        yield seen
    finally:
        hook.remove()


def agrees(evidence: Evidence, record: MapRecord, right: Tensor) -> None:
    """Fail unless the returned map shows what the right one shows."""
    if record.failure is not None:
        raise absent(evidence, record.failure, "cam(model, image, class_index)", SOLUTION)
    returned = torch.from_numpy(evidence.array("arrays", map_array(record)).astype("float64")) if record.array else None
    assert returned is not None and returned.ndim == 2, say(  # noqa: PT018
        pl=f"cam zwraca {record.returned}"
        + (f" o kształcie {tuple(returned.shape)}" if returned is not None else "")
        + ", a powinna zwrócić mapę dwuwymiarową (bez osi batcha i kanału).",
        en=f"cam returns {record.returned}"
        + (f" of shape {tuple(returned.shape)}" if returned is not None else "")
        + "; it should return a two-dimensional map (no batch or channel axis).",
    )
    assert torch.isfinite(returned).all(), say(
        pl="Mapa zawiera NaN lub nieskończoność: przy normalizacji uważaj na dzielenie przez zero.",
        en="The map holds NaN or infinity: mind division by zero when normalising.",
    )
    best = likeness(returned, right)
    assert best >= AGREEMENT, say(
        pl=f"Mapa obrazu {record.image} nie odpowiada sumie Σ_k w_ck·f_k(x, y) (korelacja {best:.2f}). {hint(returned, right)}",
        en=f"The map of image {record.image} is not the sum Σ_k w_ck·f_k(x, y) (correlation {best:.2f}). "
        f"{hint(returned, right)}",
    )


def hint(returned: Tensor, right: Tensor) -> str:
    """Name the mistake where it is a known one."""
    if likeness(-returned, right) >= AGREEMENT:
        return say(pl="Znak mapy jest odwrócony.", en="The map's sign is reversed.")
    if likeness(returned.T, right) >= AGREEMENT:
        return say(pl="Osie mapy są zamienione.", en="The map's axes are swapped.")
    if returned.max() == returned.min():
        return say(pl="Wszystkie jej wartości są równe.", en="All its values are equal.")
    return say(
        pl="Sprawdź, czy f to mapy tuż przed uśrednianiem, a w to wiersz wag ostatniej warstwy dla class_index.",
        en="Check that f are the maps just before averaging, and w the last layer's row of weights for class_index.",
    )


def likeness(returned: Tensor, right: Tensor) -> float:
    """Return the best correlation with the right map, resized in the usual ways, as it is or after a ReLU."""
    size = (returned.shape[0], returned.shape[1])
    variants = [
        F.interpolate(base[None, None], size, mode=mode)[0, 0] for base in (right, right.relu()) for mode in MODES
    ]
    variants += [F.interpolate(right[None, None], size, mode="bilinear", align_corners=True)[0, 0]]
    variants += [variant.relu() for variant in variants]
    return max(correlation(returned, variant) for variant in variants)


def correlation(a: Tensor, b: Tensor) -> float:
    """Pearson's; two constant maps agree, a constant and another do not."""
    a, b = a - a.mean(), b - b.mean()
    norms = a.norm(), b.norm()
    flat = [norm <= 1e-12 for norm in norms]
    if any(flat):
        return float(all(flat))
    return float((a * b).sum() / (norms[0] * norms[1]))
