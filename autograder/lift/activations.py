"""Layers without weights: activations, softmax."""

from collections.abc import Callable

from torch import nn


class NotALayerError(Exception):
    """No layer of `torch.nn` computes this operation with these arguments."""


def _elu(alpha: float = 1, scale: float = 1, input_scale: float = 1) -> nn.Module:
    if (scale, input_scale) != (1, 1):
        raise NotALayerError
    return nn.ELU(alpha)


def _hardtanh(low: float = -1, high: float = 1) -> nn.Module:
    return nn.ReLU6() if (low, high) == (0, 6) else nn.Hardtanh(low, high)


def _clamp(low: float | None = None, high: float | None = None) -> nn.Module:
    """Clamping from zero up is what a ReLU does, whichever way it is written."""
    if isinstance(low, bool) or not isinstance(low, int | float) or low != 0:
        raise NotALayerError
    if high is None:
        return nn.ReLU()
    if not isinstance(high, int | float) or high <= low:
        raise NotALayerError
    return _hardtanh(low, high)


def _rrelu(lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, generator: None = None) -> nn.Module:
    del generator
    return nn.RReLU(lower, upper).train(training)


def _gelu(approximate: str = "none") -> nn.Module:
    return nn.GELU(approximate)


def _softmax(dim: int, dtype: object = None) -> nn.Module:
    if dtype not in {None, False}:  # below autograd: half_to_float
        raise NotALayerError
    return nn.Softmax(dim)


def _log_softmax(dim: int, dtype: object = None) -> nn.Module:
    if dtype not in {None, False}:
        raise NotALayerError
    return nn.LogSoftmax(dim)


ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "leaky_relu": nn.LeakyReLU,
    "elu": _elu,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "gelu": _gelu,
    "silu": nn.SiLU,
    "mish": nn.Mish,
    "hardswish": nn.Hardswish,
    "hardsigmoid": nn.Hardsigmoid,
    "hardtanh": _hardtanh,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "sigmoid": nn.Sigmoid,
    "log_sigmoid": nn.LogSigmoid,
    "tanh": nn.Tanh,
    "softplus": nn.Softplus,
    "threshold": nn.Threshold,
    "hardshrink": nn.Hardshrink,
    "softshrink": nn.Softshrink,
    "glu": nn.GLU,
    "rrelu": _rrelu,
}

SOFTMAX: dict[str, Callable[..., nn.Module]] = {
    "softmax": _softmax,
    "_softmax": _softmax,
    "log_softmax": _log_softmax,
    "_log_softmax": _log_softmax,
}
