"""Write down the declared parameters of a convolution layer."""

from typing import Any

from torch import nn

from ...engine.inside import TEXT, MissingNameError, failure


def record_layer(namespace: dict[str, Any], name: str) -> dict[str, Any]:
    """Describe the layer the notebook named `name`; anything but an `nn.Conv2d` is described by its type alone."""
    record: dict[str, Any] = {"kind": "layer", "name": name}
    try:
        if name not in namespace:
            raise MissingNameError(name)
        layer = namespace[name]
        record["type"] = type(layer).__name__[:TEXT]
        if isinstance(layer, nn.Conv2d):
            record |= {"is_conv2d": True, **_parameters(layer)}
    except Exception as error:  # noqa: BLE001 - a layer with properties that raise is an answer too
        record["failure"] = failure(error)
    return record


def _parameters(layer: nn.Conv2d) -> dict[str, Any]:
    padding = layer.padding
    return {
        "in_channels": int(layer.in_channels),
        "out_channels": int(layer.out_channels),
        "kernel_size": _pair(layer.kernel_size),
        "stride": _pair(layer.stride),
        "padding": [0, 0] if isinstance(padding, str) else _pair(padding),
        "padding_name": padding[:TEXT] if isinstance(padding, str) else "",
        "dilation": _pair(layer.dilation),
        "groups": int(layer.groups),
    }


def _pair(value: Any) -> list[int]:
    return [int(part) for part in (value if isinstance(value, tuple | list) else (value, value))]
