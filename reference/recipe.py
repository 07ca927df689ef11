"""How a network is trained, as one record."""

from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR


class Optimiser(StrEnum):
    """The two that the lesson's students use."""

    ADAM = "Adam"
    SGD = "SGD"


@dataclass(frozen=True)
class Recipe:
    """How to train and evaluate. `mean` and `std` normalise images that are in [0, 1].

    `momentum` is SGD's. `weight_decay` is decoupled in Adam (Loshchilov and Hutter 2019,
    arXiv:1711.05101). `one_cycle` lets the learning rate rise to `learning_rate` and fall again
    (Smith and Topin 2017, arXiv:1708.07120); `flip` mirrors half of the images of each batch.
    `device` is "auto", "cpu" or "cuda"; `bfloat16` None asks the hardware.
    """

    epochs: int = 10
    batch_size: int = 128
    optimiser: Optimiser = Optimiser.ADAM
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    one_cycle: bool = False
    flip: bool = False
    mean: float = 0.5
    std: float = 0.5
    seed: int = 0
    device: str = "auto"
    bfloat16: bool | None = None

    def optimiser_for(self, model: nn.Module) -> torch.optim.Optimizer:
        """Return a fused optimiser of the model's weights.

        On a GPU the learning rate is a tensor there: a recorded step sees it change.
        """
        weights, decay = list(model.parameters()), self.weight_decay
        on_gpu = weights[0].is_cuda
        rate = torch.tensor(self.learning_rate, device=weights[0].device) if on_gpu else self.learning_rate
        if self.optimiser is Optimiser.ADAM:
            return torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True, capturable=on_gpu)
        return torch.optim.SGD(weights, lr=rate, momentum=self.momentum, weight_decay=decay, fused=True)

    def schedule_for(self, optimiser: torch.optim.Optimizer, images: int) -> OneCycleLR | None:
        """Return the learning rate's schedule for training on so many images, if there is one."""
        if not self.one_cycle:
            return None
        steps = -(-images // self.batch_size)
        # Momentum stays: it is a number of Python's, which a recorded step would not see change.
        return OneCycleLR(optimiser, self.learning_rate, total_steps=steps * self.epochs, cycle_momentum=False)
