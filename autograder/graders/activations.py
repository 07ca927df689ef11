"""The feature maps and last weights of a model that a class activation map is made of, read from the lifted model.

Zhou et al., "Learning Deep Features for Discriminative Localization", CVPR 2016, section 2: the map of class c is
Σ_k w_ck f_k(x, y), f the maps before global average pooling, w the last layer's weights.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autograder.evidence.records import MapRecord
from autograder.graders.flow import Flow
from autograder.language import say
from autograder.lift import Step, StepKind
from autograder.measuring.measured import Measured
from autograder.measuring.verdicts import UndecidedError


@dataclass(frozen=True)
class Activations:
    """Maps (B, C, h, w) of the first visible images, and weights (classes, C); float64."""

    maps: Tensor
    weights: Tensor

    def of(self, record: MapRecord) -> Tensor:
        """Compute the right map (h, w); raises `UndecidedError` where there is no such image or class."""
        if not (0 <= record.class_index < len(self.weights) and record.image < len(self.maps)):
            raise UndecidedError(
                say(
                    pl="Zapis wywołań cam nie zgadza się z modelem; oceni je osoba prowadząca.",
                    en="The record of cam's calls does not fit the model; a person will judge them.",
                )
            )
        return torch.einsum("k,khw->hw", self.weights[record.class_index], self.maps[record.image])


def activations(measured: Measured) -> Activations | None:
    """Return what a model's class activation maps are made of; None unless it ends in averaging and one linear layer."""
    flow = Flow(measured.model)
    classifiers = flow.classifiers()
    average = flow.averaging(classifiers[0]) if len(classifiers) == 1 else None
    if average is None or not isinstance(linear := classifiers[0].layer, nn.Linear):
        return None
    maps = _maps(measured, flow, average)
    if maps is None or maps.shape[1] != linear.in_features:
        return None
    return Activations(maps.double(), linear.weight.detach().double())


def _maps(measured: Measured, flow: Flow, average: Step) -> Tensor | None:
    """Run the model and return what is averaged: what a pooling layer reads, else what the layer before gives."""
    pools = average.kind is StepKind.GLOBAL_POOL
    source = average if pools else flow.mapped(average)
    if source is None or source.layer is None:
        return None
    seen: list[Tensor] = []
    hook = source.layer.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0] if pools else output))
    try:
        with torch.inference_mode():
            measured.model(measured.visible_batch())
    finally:
        hook.remove()
    return seen[-1].detach()
