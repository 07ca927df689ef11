"""Task 5 (bonus): class activation maps, against Σ_k w_ck f_k(x, y) computed on the rebuilt model.

A map may have any resolution and any positive scale and offset, with or without a final ReLU; so it is compared with the
right one by correlation, at its own resolution, under the usual ways of resizing.
"""

import ast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.engine.evidence import Fault
from autograder.engine.notebook import parse_cell
from autograder.engine.outcomes import AbsentError, SettledError, UndecidedError, absent, settled
from autograder.engine.text import number, say
from autograder.lesson.graders.activations import (
    AGREEMENT,
    CELL,
    OWN,
    SMALLEST,
    SOLUTION,
    Activations,
    best_correlation,
    correlation,
    is_constant,
    judged_model,
    maps_agree,
)
from autograder.lesson.graders.student_models import CELLS
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import LessonEvidence, MapProbe, MapRecord, ModelProbe, map_array

FUNCTION = "cam(model, image, class_index)"
FLATTENED = ("baseline", "max_pool", "avg_pool")  # models without global average pooling in the assignment
PROBES = (ModelProbe(CELL, OWN), MapProbe(CELL, "maps", ("baseline", *CELLS, OWN)))


@pytest.mark.cell(CELL, data=True, pl="Mapa aktywacji przewidzianej klasy", en="Activation map of the predicted class")
def test_cam(evidence: LessonEvidence, measured: Measurements) -> None:
    probed = evidence.probed.get(CELL)
    if probed is None or probed.failure is not None:
        raise absent(evidence, probed.failure if probed else None, FUNCTION, SOLUTION)
    records = evidence.maps(CELL)
    for failure in (record.failure for record in records if record.failure):
        if failure.fault is Fault.MISSING:
            raise absent(evidence, failure, FUNCTION, SOLUTION)
    try:
        judged = judged_model(evidence, measured)
    except (UndecidedError, AssertionError) as refused:
        if not isinstance(refused, SettledError):
            require_any_map(evidence, records)
        raise
    shown = [(record, agreeing(evidence, record, judged.right)) for record in records if record.model == judged.name]
    if not any(is_conclusive(record, judged.right) and not is_constant(returned) for record, returned in shown):
        all_flat = all(is_constant(returned) for _, returned in shown)
        raise constant() if all_flat and is_stub(evidence) else indistinct(judged.name, all_flat=all_flat)


def require_any_map(evidence: LessonEvidence, records: list[MapRecord]) -> None:
    """Fail if no call returned anything like a map: an unimplemented `cam` fails even if no model fits."""
    useless: list[Exception] = []
    for record in sorted(records, key=lambda record: record.model in FLATTENED):
        try:
            returned = returned_map(evidence, record)
        except UndecidedError:
            return
        except (AbsentError, AssertionError) as reason:
            useless.append(reason)
        else:
            if not is_constant(returned):
                return
            useless.append(constant())
    if useless:
        raise useless[0]


def place(record: MapRecord) -> str:
    """Say which model and image a message is about."""
    return f'models["{record.model}"], testset[{record.image}]'


def returned_map(evidence: LessonEvidence, record: MapRecord) -> Tensor:
    """Return the map (h, w) float64 that `cam` gave; fail where it is none."""
    where, failure = place(record), record.failure
    if failure is not None and failure.type == "NotAsked":
        too_slow = say(
            pl=f"cam liczyła mapy tak długo ({failure.message}), że nie starczyło czasu na {where}; "
            "oceni ją osoba prowadząca.",
            en=f"cam took so long ({failure.message}) that no time was left for {where}; a person will judge it.",
        )
        raise UndecidedError(too_slow)
    if failure is not None:
        raise absent(evidence, failure, f"{FUNCTION}, {where}", SOLUTION)
    returned = torch.from_numpy(evidence.array("arrays", map_array(record)).astype("float64")) if record.array else None
    form = say(
        pl=f"{where}: cam zwraca {record.returned}, a powinna zwrócić mapę dwuwymiarową (bez osi batcha i kanału).",
        en=f"{where}: cam returns {record.returned}; it should return a two-dimensional map (no batch or channel axis).",
    )
    settled(returned is not None and returned.dim() == 2 and returned.numel(), form)
    assert returned is not None
    broken = say(
        pl=f"{where}: mapa zawiera NaN lub nieskończoność: przy normalizacji uważaj na dzielenie przez zero.",
        en=f"{where}: the map holds NaN or infinity: mind division by zero when normalising.",
    )
    settled(torch.isfinite(returned).all(), broken)
    return returned / returned.abs().max().clamp(min=torch.finfo(torch.float64).tiny)


def agreeing(evidence: LessonEvidence, record: MapRecord, right: Activations) -> Tensor:
    """Return the map that `cam` gave; fail unless it shows what the right one shows."""
    where, returned = place(record), returned_map(evidence, record)
    if not right.predicts(record.image, record.class_index):
        no_fit = say(
            pl=f"{where}: zapis wywołań cam nie zgadza się z modelem; oceni je osoba prowadząca.",
            en=f"{where}: the record of cam's calls does not fit the model; a person will judge them.",
        )
        raise UndecidedError(no_fit, more_data=True)  # two scores that are nearly equal may change places by rounding
    expected = right.class_maps(record.image)[record.class_index]
    size, given = ("×".join(map(str, shape)) for shape in (expected.shape, returned.shape))
    small = say(
        pl=f"{where}: rozmiar mapy to tylko {given}, a map przed uśrednianiem {size}: zwróć mapę tej wielkości "
        "albo powiększoną do wielkości obrazu.",
        en=f"{where}: the map has only {given} pixels, the maps before averaging {size}: return a map of that size "
        "or enlarged to the image's.",
    )
    settled(min(returned.shape) >= SMALLEST, small)
    if not maps_agree(returned, expected):
        reached, known = number(best_correlation(returned, expected), 2), hint(returned, record, right)
        other = say(
            pl=f"{where}: mapa nie odpowiada sumie Σ_k w_ck·f_k(x, y) (korelacja {reached}). {known}",
            en=f"{where}: the map is not the sum Σ_k w_ck·f_k(x, y) (correlation {reached}). {known}",
        )
        raise SettledError(other)
    return returned


def is_conclusive(record: MapRecord, right: Activations) -> bool:
    """Whether an image's right map differs enough from maps made without the class or without the model.

    Measured on the judge's own maps, before any ReLU: it varies, most other classes' maps are others (up to scale and
    sign), and it is not the image itself.
    """
    maps = right.class_maps(record.image)
    own = maps[record.class_index]
    if is_constant(own):
        return False
    same = sum(abs(correlation(own, other)) >= AGREEMENT for other in maps) - 1
    image = right.images[record.image]
    planes = [*image, image.mean(0)]
    planes += [F.adaptive_avg_pool2d(plane[None], (own.shape[0], own.shape[1]))[0] for plane in planes]
    return same <= len(maps) // 2 and not any(maps_agree(sign * plane, own) for plane in planes for sign in (1, -1))


def is_stub(evidence: LessonEvidence) -> bool:
    """Whether the `cam` of the solution cell reads neither the model nor the class that it is given."""
    cell = parse_cell(evidence.notebook.source(SOLUTION))
    function = next((n for n in reversed(cell.body) if isinstance(n, ast.FunctionDef) and n.name == "cam"), None)
    if function is None or len(function.args.args) != len(("model", "image", "class_index")):
        return False
    model, _, class_index = (argument.arg for argument in function.args.args)
    return not {model, class_index} & {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def constant() -> SettledError:
    """Return the error for a constant map."""
    message = say(
        pl="cam zwraca mapę stałą: wszystkie jej wartości są równe.",
        en="cam returns a constant map: all its values are equal.",
    )
    return SettledError(message)


def indistinct(model: str, *, all_flat: bool) -> UndecidedError:
    """Return the error for right maps that prove nothing: a person decides."""
    name = f'models["{model}"]'
    negative = say(
        pl=f"{name}: na wszystkich sprawdzonych obrazach prawidłowa mapa nie ma dodatnich wartości, więc po ReLU "
        "nie da się jej odróżnić od stałej; oceni ją osoba prowadząca.",
        en=f"{name}: on all images looked at the right map has no positive values, so after a ReLU it cannot be "
        "told from a constant; a person will judge it.",
    )
    common = say(
        pl=f"{name}: na wszystkich sprawdzonych obrazach prawidłowa mapa jest prawie taka sama jak mapy innych klas albo "
        "jak sam obraz, więc nie da się jej od nich odróżnić; oceni ją osoba prowadząca. Inną sieć możesz dodać jako "
        'models["cam"].',
        en=f"{name}: on all images looked at the right map is almost the same as other classes' maps or as the image "
        'itself, so it cannot be told from them; a person will judge it. You may add another network as models["cam"].',
    )
    return UndecidedError(negative if all_flat else common, more_data=True)  # trained on more, it has other maps


def hint(returned: Tensor, record: MapRecord, right: Activations) -> str:
    """Name the mistake where it is a known one."""
    maps, classes = right.maps[record.image], right.class_maps(record.image)
    expected = classes[record.class_index]
    if is_constant(returned):
        return say(pl="Wszystkie jej wartości są równe.", en="All its values are equal.")
    if maps_agree(-returned, expected):
        return say(pl="Znak mapy jest odwrócony.", en="The map's sign is reversed.")
    if maps_agree(returned.T, expected):
        return say(pl="Osie mapy są zamienione.", en="The map's axes are swapped.")
    for other, theirs in enumerate(classes):
        if maps_agree(returned, theirs):
            return say(
                pl=f"To mapa klasy {other}, a class_index to {record.class_index}.",
                en=f"It is the map of class {other}; class_index is {record.class_index}.",
            )
    if maps_agree(returned, maps.mean(0)):
        return say(
            pl="To średnia map f_k bez wag: pomnóż każdą przez w_ck.",
            en="It is the mean of the maps f_k without weights: multiply each by w_ck.",
        )
    return say(
        pl="Sprawdź, czy f to mapy tuż przed uśrednianiem, a w to wiersz wag ostatniej warstwy dla class_index.",
        en="Check that f are the maps just before averaging, and w the last layer's row of weights for class_index.",
    )
