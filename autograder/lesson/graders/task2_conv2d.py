"""Task 2: three `nn.Conv2d` layers; any layer with the required parameters and output shape passes."""

from dataclasses import dataclass

import msgspec
import pytest

from autograder.engine.outcomes import absent
from autograder.engine.text import say
from autograder.lesson.observations import LayerProbe, LayerRecord, LessonEvidence

Pair = tuple[int, int]


@dataclass(frozen=True)
class Case:
    """What one case of Task 2 asks for: sizes as (H, W); required parameters, None where the choice is free."""

    name: str
    size: Pair
    wanted: Pair
    in_channels: int
    out_channels: int
    padding: Pair
    dilation: Pair | None = None
    stride: Pair | None = None
    kernel_size: Pair | None = None

    @property
    def cell(self) -> str:
        """The id of the test cell."""
        return f"task2_{self.name}_tests"


CASES = (
    Case("case_1", (224, 224), (55, 55), 3, 64, padding=(2, 2), dilation=(1, 1)),
    Case("case_2", (32, 32), (30, 16), 1, 1, padding=(0, 0), dilation=(1, 1)),
    Case("case_3", (50, 50), (46, 46), 16, 16, padding=(0, 0), stride=(1, 1), kernel_size=(3, 3)),
)
FIXED = ("in_channels", "out_channels", "padding", "dilation", "stride", "kernel_size")
PROBES = tuple(LayerProbe(case.cell, case.name) for case in CASES)
CHECK = {"pl": "Kształt wyniku i wymagane parametry", "en": "Output shape and required parameters"}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.cell(case.cell, **CHECK), id=case.name) for case in CASES]
)
def test_layer(case: Case, evidence: LessonEvidence) -> None:
    layer = evidence.layer(case.cell, case.name)
    if layer is None or layer.failure is not None:
        probed = layer or evidence.probed.get(case.cell)
        raise absent(evidence, probed.failure if probed else None, case.name, f"task2_{case.name}")
    assert layer.is_conv2d, say(
        pl=f"{case.name} ma typ {layer.type}, a powinna to być warstwa nn.Conv2d.",
        en=f"{case.name} is of type {layer.type}; it should be an nn.Conv2d layer.",
    )
    if layer.padding_name == "same":  # half the dilated kernel on each side
        first, second = (d * (k - 1) // 2 for d, k in zip(layer.dilation, layer.kernel_size, strict=True))
        layer = msgspec.structs.replace(layer, padding=(first, second))
    got = tuple(output_size(layer, axis, case.size[axis]) for axis in (0, 1))
    assert got == case.wanted, wrong_size(layer, case)
    for name in FIXED:
        given, required = getattr(layer, name), getattr(case, name)
        assert required in {None, given}, say(
            pl=f"Rozmiar się zgadza, ale {name} = {given}, a zadanie wymaga {name} = {required}. "
            "Zmieniaj tylko parametry z dopiskiem „zmień to”.",
            en=f"The size is right, but {name} = {given} where the task requires {name} = {required}. "
            "Change only the parameters marked so.",
        )


def output_size(layer: LayerRecord, axis: int, size: int) -> int:
    """Return the output's size along one axis, by the formula of torch.nn.Conv2d's documentation."""
    if layer.padding_name == "same":
        return size
    span = layer.dilation[axis] * (layer.kernel_size[axis] - 1) + 1
    return (size + 2 * layer.padding[axis] - span) // max(1, layer.stride[axis]) + 1


def wrong_size(layer: LayerRecord, case: Case) -> str:
    """Put the student's own numbers into the formula."""
    lines = [
        f"{'HW'[axis]}_out = ⌊({size} + 2·{layer.padding[axis]} − {layer.dilation[axis]}"
        f"·({layer.kernel_size[axis]} − 1) − 1) / {layer.stride[axis]} + 1⌋ = {output_size(layer, axis, size)}"
        for axis, size in enumerate(case.size)
        if output_size(layer, axis, size) != case.wanted[axis]
    ]
    wanted = "×".join(map(str, case.wanted))
    return say(
        pl=f"Twoje parametry dają: {'; '.join(lines)}, a mapa powinna mieć rozmiar {wanted}.",
        en=f"Your parameters give {'; '.join(lines)}, but the map should be {wanted}.",
    )
