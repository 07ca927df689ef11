"""Task 5 (bonus): class activation maps, against Σ_k w_ck f_k(x, y) computed on the lifted model.

A map may have any resolution and any positive scale and offset, with or without a final ReLU; so it is compared with the
right one by correlation, at its own resolution, under the usual ways of resizing.
"""

import pytest
import torch
from torch import Tensor

from autograder.evidence.outbox import map_array
from autograder.evidence.probes import MapProbe, ModelProbe
from autograder.evidence.reader import Evidence
from autograder.evidence.records import Fault, MapRecord
from autograder.graders.activations import Activations, activations
from autograder.graders.maps import alike, flat, likeness
from autograder.language import number, say
from autograder.measuring.measure import Measurements
from autograder.measuring.verdicts import AbsentError, UndecidedError, absent

CELL = "task5_cam_tests"
SOLUTION = "task5_cam"
FUNCTION = "cam(model, image, class_index)"
PROBES = (ModelProbe(CELL, "cam"), MapProbe(CELL, "maps"))
COARSEST = 3  # pixels a side: on fewer, any map resembles any other


@pytest.mark.cell(CELL, pl="Mapa aktywacji przewidzianej klasy", en="Activation map of the predicted class")
def test_cam(evidence: Evidence, measured: Measurements) -> None:
    probed = evidence.probed.get(CELL)
    if probed is None or probed.failure is not None:
        raise absent(evidence, probed.failure if probed else None, FUNCTION, SOLUTION)
    records = evidence.maps(CELL)
    for failure in (record.failure for record in records if record.failure):
        if failure.fault is Fault.MISSING:
            raise absent(evidence, failure, FUNCTION, SOLUTION)
    name, right = mapped_model(records, measured)
    returned = [agreeing(evidence, record, right) for record in records if record.model == name]
    if all(map(flat, returned)):
        raise UndecidedError(
            say(
                pl="Na wszystkich sprawdzonych obrazach prawidłowa mapa nie ma dodatnich wartości, więc po ReLU nie da "
                "się jej odróżnić od stałej; oceni ją osoba prowadząca.",
                en="On all images looked at the right map has no positive values, so after a ReLU it cannot be told "
                "from a constant; a person will judge it.",
            )
        )


def mapped_model(records: list[MapRecord], measured: Measurements) -> tuple[str, Activations]:
    """Return the first model, `cam` before all, that ends in global average pooling and a single linear layer."""
    names = list(dict.fromkeys(record.model for record in records))
    refusals: list[AbsentError | UndecidedError] = []
    for name in names:
        try:
            found = activations(measured.of(name, SOLUTION))
        except (AbsentError, UndecidedError) as refusal:
            refusals.append(refusal)
            continue
        if found is not None:
            return name, found
    undecided = [refusal for refusal in refusals if isinstance(refusal, UndecidedError)]
    only = names == ["cam"]
    if undecided or (only and refusals):
        raise [*undecided, *refusals][0]
    pl, en = "Żadna z sieci w models nie kończy", "No network in models ends"
    if only:
        pl, en = 'Sieć models["cam"] nie kończy', 'The network models["cam"] does not end'
    raise AssertionError(
        say(
            pl=f"{pl} się Global Average Poolingiem i jedną warstwą liniową, a tylko dla takiej sieci CAM ma sens; "
            'możesz ją dodać jako models["cam"].',
            en=f"{en} in global average pooling and a single linear layer, and only such a network has a CAM; "
            'you may add one as models["cam"].',
        )
    )


def agreeing(evidence: Evidence, record: MapRecord, right: Activations) -> Tensor:
    """Return the map that `cam` gave; fail unless it shows what the right one shows."""
    if record.failure is not None:
        raise absent(evidence, record.failure, FUNCTION, SOLUTION)
    returned = torch.from_numpy(evidence.array("arrays", map_array(record)).astype("float64")) if record.array else None
    shape = () if returned is None else tuple(returned.shape)
    assert returned is not None and len(shape) == 2, say(  # noqa: PT018
        pl=f"Funkcja cam zwraca {record.returned}"
        + (f" o kształcie {shape}" if returned is not None else "")
        + ", a powinna zwrócić mapę dwuwymiarową (bez osi batcha i kanału).",
        en=f"cam returns {record.returned}"
        + (f" of shape {shape}" if returned is not None else "")
        + "; it should return a two-dimensional map (no batch or channel axis).",
    )
    assert torch.isfinite(returned).all(), say(
        pl="Mapa zawiera NaN lub nieskończoność: przy normalizacji uważaj na dzielenie przez zero.",
        en="The map holds NaN or infinity: mind division by zero when normalising.",
    )
    expected = right.of(record)
    size = "×".join(map(str, expected.shape))
    assert all(side >= min(COARSEST, own) for side, own in zip(shape, expected.shape, strict=True)), say(
        pl=f"Rozmiar mapy to tylko {shape[0]}×{shape[1]}, a map przed uśrednianiem {size}: zwróć mapę tej wielkości "
        "albo powiększoną do wielkości obrazu.",
        en=f"The map has only {shape[0]}×{shape[1]} pixels, the maps before averaging {size}: return a map of that size "
        "or enlarged to the image's.",
    )
    reached = likeness(returned, expected)
    assert alike(returned, expected), say(
        pl=f"Mapa obrazu nr {record.image} nie odpowiada sumie Σ_k w_ck·f_k(x, y) (korelacja {number(reached, 2)}). "
        f"{hint(returned, record, right)}",
        en=f"The map of image {record.image} is not the sum Σ_k w_ck·f_k(x, y) (correlation {number(reached, 2)}). "
        f"{hint(returned, record, right)}",
    )
    return returned


def hint(returned: Tensor, record: MapRecord, right: Activations) -> str:
    """Name the mistake where it is a known one."""
    expected, maps = right.of(record), right.maps[record.image]
    if flat(returned):
        return say(pl="Wszystkie jej wartości są równe.", en="All its values are equal.")
    if alike(-returned, expected):
        return say(pl="Znak mapy jest odwrócony.", en="The map's sign is reversed.")
    if alike(returned.T, expected):
        return say(pl="Osie mapy są zamienione.", en="The map's axes are swapped.")
    for other, row in enumerate(right.weights):
        if alike(returned, torch.einsum("k,khw->hw", row, maps)):
            return say(
                pl=f"To mapa klasy {other}, a class_index to {record.class_index}.",
                en=f"It is the map of class {other}; class_index is {record.class_index}.",
            )
    if alike(returned, maps.mean(0)):
        return say(
            pl="To średnia map f_k bez wag: pomnóż każdą przez w_ck.",
            en="It is the mean of the maps f_k without weights: multiply each by w_ck.",
        )
    return say(
        pl="Sprawdź, czy f to mapy tuż przed uśrednianiem, a w to wiersz wag ostatniej warstwy dla class_index.",
        en="Check that f are the maps just before averaging, and w the last layer's row of weights for class_index.",
    )
