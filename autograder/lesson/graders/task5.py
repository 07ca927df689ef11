"""Task 5 (bonus): class activation maps, against Σ_k w_ck f_k(x, y) computed on the lifted model.

A map may have any resolution and any positive scale and offset, with or without a final ReLU; so it is compared with the
right one by correlation, at its own resolution, under the usual ways of resizing.
"""

import ast
from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from autograder.engine.errors import EvidenceError
from autograder.engine.evidence import Fault
from autograder.engine.notebook import parse_cell
from autograder.engine.outcomes import AbsentError, SettledError, UndecidedError, absent, settled
from autograder.engine.text import number, say
from autograder.lesson.graders.activations import (
    AGREEMENT,
    SMALLEST,
    Activations,
    UnfitError,
    activations,
    alike,
    correlation,
    flat,
    likeness,
)
from autograder.lesson.graders.experiments import CELLS
from autograder.lesson.graders.training import really_trained
from autograder.lesson.measure import Measurements
from autograder.lesson.observations import LessonEvidence, MapProbe, MapRecord, ModelProbe, map_array

CELL = "task5_cam_tests"
SOLUTION = "task5_cam"
FUNCTION = "cam(model, image, class_index)"
OWN = "cam"
FLATTENED = ("baseline", "max_pool", "avg_pool")  # which the sheet gives no global average pooling
PROBES = (ModelProbe(CELL, OWN), MapProbe(CELL, "maps", ("baseline", *CELLS, OWN)))


@dataclass(frozen=True)
class Judged:
    """The model whose maps are judged."""

    name: str
    right: Activations

    def place(self, record: MapRecord) -> str:
        """Say which model and image a message is about."""
        return f'models["{self.name}"], testset[{record.image}]'


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
    of_it = [record for record in records if record.model == judged.name]
    shown = [(record, agreeing(evidence, record, judged)) for record in of_it]
    if not any(tells(record, judged.right) and not flat(returned) for record, returned in shown):
        all_flat = all(flat(returned) for _, returned in shown)
        if all_flat and is_stub(evidence):
            raise constant()
        raise indistinct(judged, all_flat=all_flat)


def judged_model(evidence: LessonEvidence, measured: Measurements) -> Judged:
    """Return the model whose maps are judged.

    It is `models["cam"]` where there is one, else the first of Task 3's and Task 4's models, in the order of `models`,
    that fits: it is really trained (as Task 4 asks), ends in global average pooling and a single linear layer, and what
    is averaged are maps of at least 3×3 pixels, of several channels that are not copies of one. A `models["cam"]` that
    does not fit fails with its reason; of the others, those that do not fit are passed over.
    """
    names = list(dict.fromkeys(record.model for record in evidence.maps(CELL)))
    unmeasured: list[Exception] = []
    untrained: list[AssertionError] = []
    unfit: list[str] = []
    for name in [OWN] if OWN in names else names:
        try:
            model = measured.model(name, SOLUTION)
            right = activations(model)
            really_trained(measured, name, SOLUTION)
        except UnfitError as reason:
            unfit.append(f'models["{name}"] {reason}')
        except AssertionError as reason:
            untrained.append(reason)
        except UndecidedError as reason:
            unmeasured.append(reason)
        except (AbsentError, EvidenceError) as reason:
            if name == OWN:
                raise
            unfit.append(str(reason))
        else:
            return Judged(name, right)
    raise refusal(unmeasured, untrained, unfit)


def refusal(unmeasured: list[Exception], untrained: list[AssertionError], unfit: list[str]) -> Exception:
    """Say why no model's maps can be judged; open on `quick` only where more training may make one fit."""
    if unmeasured:
        return unmeasured[0]
    if untrained:
        reason = min(untrained, key=lambda error: isinstance(error, SettledError))
        said = say(
            pl=f"CAM ma sens tylko dla wytrenowanej sieci. {reason}", en=f"Only a trained network has a CAM. {reason}"
        )
        return type(reason)(said)
    reasons = "; ".join(reason for reason in unfit if reason.startswith("models["))
    return SettledError(
        say(
            pl="Żadna sieć nie nadaje się do CAM: potrzebne są wytrenowana sieć z Global Average Poolingiem i jedną warstwą "
            f"liniową oraz mapy co najmniej {SMALLEST}×{SMALLEST} o kilku kanałach. {reasons or 'models: brak'}. "
            'Możesz dodać taką sieć jako models["cam"].',
            en="No network has a CAM: it takes a trained network with global average pooling and a single linear layer, and "
            f"maps of at least {SMALLEST}×{SMALLEST}, of several channels. {reasons or 'models: none'}. "
            'You may add one as models["cam"].',
        )
    )


def require_any_map(evidence: LessonEvidence, records: list[MapRecord]) -> None:
    """Fail where no call gave anything that could be a map: an untouched `cam` is not left undecided by its model."""
    useless: list[Exception] = []
    for record in sorted(records, key=lambda record: record.model in FLATTENED):
        try:
            returned = returned_map(evidence, record, f'models["{record.model}"], testset[{record.image}]')
        except UndecidedError:
            return
        except (AbsentError, AssertionError) as reason:
            useless.append(reason)
        else:
            if not flat(returned):
                return
            useless.append(constant())
    if useless:
        raise useless[0]


def returned_map(evidence: LessonEvidence, record: MapRecord, place: str) -> Tensor:
    """Return the map (h, w) float64 that `cam` gave; fail where it is none."""
    if record.failure is not None and record.failure.type == "NotAsked":
        raise UndecidedError(
            say(
                pl=f"cam liczyła mapy tak długo ({record.failure.message}), że nie starczyło czasu na {place}; "
                "oceni ją osoba prowadząca.",
                en=f"cam took so long ({record.failure.message}) that no time was left for {place}; a person will judge it.",
            )
        )
    if record.failure is not None:
        raise absent(evidence, record.failure, f"{FUNCTION}, {place}", SOLUTION)
    returned = torch.from_numpy(evidence.array("arrays", map_array(record)).astype("float64")) if record.array else None
    form = say(
        pl=f"{place}: cam zwraca {record.returned}, a powinna zwrócić mapę dwuwymiarową (bez osi batcha i kanału).",
        en=f"{place}: cam returns {record.returned}; it should return a two-dimensional map (no batch or channel axis).",
    )
    settled(returned is not None and returned.dim() == 2 and returned.numel(), form)
    assert returned is not None
    broken = say(
        pl=f"{place}: mapa zawiera NaN lub nieskończoność: przy normalizacji uważaj na dzielenie przez zero.",
        en=f"{place}: the map holds NaN or infinity: mind division by zero when normalising.",
    )
    settled(torch.isfinite(returned).all(), broken)
    return returned / returned.abs().max().clamp(min=torch.finfo(torch.float64).tiny)


def agreeing(evidence: LessonEvidence, record: MapRecord, judged: Judged) -> Tensor:
    """Return the map that `cam` gave; fail unless it shows what the right one shows."""
    place = judged.place(record)
    returned = returned_map(evidence, record, place)
    if not judged.right.predicts(record.image, record.class_index):
        raise UndecidedError(
            say(
                pl=f"{place}: zapis wywołań cam nie zgadza się z modelem; oceni je osoba prowadząca.",
                en=f"{place}: the record of cam's calls does not fit the model; a person will judge them.",
            )
        )
    expected = judged.right.of(record.image)[record.class_index]
    size, given = ("×".join(map(str, shape)) for shape in (expected.shape, returned.shape))
    small = say(
        pl=f"{place}: rozmiar mapy to tylko {given}, a map przed uśrednianiem {size}: zwróć mapę tej wielkości "
        "albo powiększoną do wielkości obrazu.",
        en=f"{place}: the map has only {given} pixels, the maps before averaging {size}: return a map of that size "
        "or enlarged to the image's.",
    )
    settled(min(returned.shape) >= SMALLEST, small)
    if not alike(returned, expected):
        reached = likeness(returned, expected)
        raise SettledError(
            say(
                pl=f"{place}: mapa nie odpowiada sumie Σ_k w_ck·f_k(x, y) (korelacja {number(reached, 2)}). "
                f"{hint(returned, record, judged.right)}",
                en=f"{place}: the map is not the sum Σ_k w_ck·f_k(x, y) (correlation {number(reached, 2)}). "
                f"{hint(returned, record, judged.right)}",
            )
        )
    return returned


def tells(record: MapRecord, right: Activations) -> bool:
    """Whether the right map of an image can be told from what is made without the class or without the model.

    Measured on the judge's own maps, before any ReLU: it varies, most other classes' maps are others (up to scale and
    sign), and it is not the image itself.
    """
    maps = right.of(record.image)
    own = maps[record.class_index]
    if flat(own):
        return False
    same = sum(abs(correlation(own, other)) >= AGREEMENT for other in maps) - 1
    image = right.images[record.image]
    planes = [*image, image.mean(0)]
    planes += [F.adaptive_avg_pool2d(plane[None], (own.shape[0], own.shape[1]))[0] for plane in planes]
    return same <= len(maps) // 2 and not any(alike(sign * plane, own) for plane in planes for sign in (1, -1))


def is_stub(evidence: LessonEvidence) -> bool:
    """Whether the `cam` of the solution cell reads neither the model nor the class that it is given."""
    cell = parse_cell(evidence.notebook.source(SOLUTION))
    function = next((n for n in reversed(cell.body) if isinstance(n, ast.FunctionDef) and n.name == "cam"), None)
    if function is None or len(function.args.args) != len(("model", "image", "class_index")):
        return False
    model, _, class_index = (argument.arg for argument in function.args.args)
    return not {model, class_index} & {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}


def constant() -> SettledError:
    """Say that nothing can be seen on a map."""
    return SettledError(
        say(
            pl="cam zwraca mapę stałą: wszystkie jej wartości są równe.",
            en="cam returns a constant map: all its values are equal.",
        )
    )


def indistinct(judged: Judged, *, all_flat: bool) -> UndecidedError:
    """Say why right maps prove nothing: a person decides."""
    name = f'models["{judged.name}"]'
    if all_flat:
        return UndecidedError(
            say(
                pl=f"{name}: na wszystkich sprawdzonych obrazach prawidłowa mapa nie ma dodatnich wartości, więc po ReLU "
                "nie da się jej odróżnić od stałej; oceni ją osoba prowadząca.",
                en=f"{name}: on all images looked at the right map has no positive values, so after a ReLU it cannot be "
                "told from a constant; a person will judge it.",
            )
        )
    return UndecidedError(
        say(
            pl=f"{name}: na wszystkich sprawdzonych obrazach prawidłowa mapa jest prawie taka sama jak mapy innych klas albo "
            "jak sam obraz, więc nie da się jej od nich odróżnić; oceni ją osoba prowadząca. Inną sieć możesz dodać jako "
            'models["cam"].',
            en=f"{name}: on all images looked at the right map is almost the same as other classes' maps or as the image "
            'itself, so it cannot be told from them; a person will judge it. You may add another network as models["cam"].',
        )
    )


def hint(returned: Tensor, record: MapRecord, right: Activations) -> str:
    """Name the mistake where it is a known one."""
    maps, classes = right.maps[record.image], right.of(record.image)
    expected = classes[record.class_index]
    if flat(returned):
        return say(pl="Wszystkie jej wartości są równe.", en="All its values are equal.")
    if alike(-returned, expected):
        return say(pl="Znak mapy jest odwrócony.", en="The map's sign is reversed.")
    if alike(returned.T, expected):
        return say(pl="Osie mapy są zamienione.", en="The map's axes are swapped.")
    for other, theirs in enumerate(classes):
        if alike(returned, theirs):
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
