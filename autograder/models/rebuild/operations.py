"""The closed list of ATen operations that a model may use: the function that computes each, and its `StepKind`.

PyTorch's own operation computes it, except where it trusts its arguments: those are checked here first.
"""

import math
import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor

from .schema import MAX_ELEMENTS

MAX_PARTS = 1_024  # that a tensor is cut into


class StepKind(StrEnum):
    """What an operation is, in the lesson's words."""

    CONV = "conv"
    ACTIVATION = "activation"
    MAX_POOL = "max_pool"
    AVG_POOL = "avg_pool"
    GLOBAL_POOL = "global_pool"
    BATCH_NORM = "batch_norm"
    DROPOUT = "dropout"
    DROPOUT2D = "dropout2d"
    FLATTEN = "flatten"
    LINEAR = "linear"
    SOFTMAX = "softmax"
    OTHER = "other"


_PURE = """
abs.default adaptive_avg_pool1d.default adaptive_avg_pool2d.default _adaptive_avg_pool2d.default
adaptive_max_pool1d.default adaptive_max_pool2d.default add.Scalar,Tensor addcmul.default addmm.default alias.default
alpha_dropout.default amax.default amin.default arange.default,start,start_step argmax.default avg_pool1d.default
avg_pool2d.default avg_pool3d.default baddbmm.default batch_norm.default bernoulli.default,p bitwise_and.Tensor
bitwise_not.default bitwise_or.Tensor bmm.default broadcast_to.default cat.default ceil.default celu.default
channel_shuffle.default clamp.default,Tensor clamp_max.default,Tensor clamp_min.default,Tensor clone.default
concat.default constant_pad_nd.default contiguous.default conv1d.default,padding conv2d.default,padding
conv3d.default,padding conv_transpose1d.default conv_transpose2d.input convolution.default _convolution.default
_convolution_mode.default cos.default cudnn_batch_norm.default cumsum.default detach.default
div.Scalar,Tensor,Scalar_mode,Tensor_mode dot.default dropout.default elu.default empty.memory_format
empty_like.default eq.Scalar,Tensor erf.default exp.default expand.default expand_as.default
feature_alpha_dropout.default feature_dropout.default flatten.using_ints flip.default floor.default
floor_divide.default full.default full_like.default gather.default ge.Scalar,Tensor gelu.default glu.default
group_norm.default gt.Scalar,Tensor hardshrink.default hardsigmoid.default hardswish.default hardtanh.default
im2col.default index.Tensor index_select.default instance_norm.default layer_norm.default le.Scalar,Tensor
leaky_relu.default lift_fresh.default lift_fresh_copy.default linalg_vector_norm.default linear.default log.default
log1p.default log_sigmoid.default _log_softmax.default log_softmax.int logical_and.default logical_not.default
logical_or.default logical_xor.default logsumexp.default lt.Scalar,Tensor masked_fill.Scalar,Tensor matmul.default
max.default,dim,other max_pool1d.default max_pool2d.default max_pool2d_with_indices.default max_pool3d.default
maximum.default mean.default,dim min.default,dim,other minimum.default mish.default mm.default movedim.int,intlist
mul.Scalar,Tensor mv.default narrow.default native_batch_norm.default _native_batch_norm_legit.default
_native_batch_norm_legit_no_training.default native_dropout.default native_group_norm.default
native_layer_norm.default ne.Scalar,Tensor neg.default new_empty.default new_full.default new_ones.default
new_zeros.default norm.ScalarOpt_dim ones.default ones_like.default pad.default permute.default pixel_shuffle.default
pixel_unshuffle.default pow.Scalar,Tensor_Scalar,Tensor_Tensor prelu.default _prelu_kernel.default
prod.default,dim_int rand_like.default randn_like.default reciprocal.default reflection_pad1d.default
reflection_pad2d.default relu.default relu6.default repeat.default replication_pad1d.default replication_pad2d.default
reshape.default reshape_as.default resolve_conj.default resolve_neg.default rms_norm.default roll.default
round.default rrelu.default rsqrt.default rsub.Scalar,Tensor scalar_tensor.default
scaled_dot_product_attention.default select.int selu.default sigmoid.default sign.default silu.default sin.default
slice.Tensor _softmax.default softmax.int softplus.default softshrink.default sqrt.default square.default
squeeze.default,dim,dims stack.default std.correction,dim std_mean.correction sub.Scalar,Tensor
sum.default,dim_IntList swapaxes.default t.default tan.default tanh.default threshold.default transpose.int
tril.default triu.default true_divide.Tensor type_as.default unflatten.int unfold.default _unsafe_view.default
unsqueeze.default upsample_bicubic2d.default,vec upsample_bilinear2d.default,vec upsample_nearest2d.default,vec
var.correction,dim var_mean.correction vdot.default view.default view_as.default _weight_norm.default
_weight_norm_interface.default where.ScalarOther,ScalarSelf,self zeros.default zeros_like.default
"""

# In place only: they fill memory that the model made for the purpose.
_FILLING = "bernoulli_.float copy_.default fill_.Scalar,Tensor normal_.default uniform_.default zero_.default"
_CASTS = "to.dtype to.device to.dtype_layout to.other _to_copy.default"


def listed(text: str) -> tuple[str, ...]:
    """Return the operations' full names: "mean.default,dim" stands for aten.mean.default and aten.mean.dim."""
    listed = (word.split(".") for word in text.split())
    return tuple(f"aten.{name}.{overload}" for name, overloads in listed for overload in overloads.split(","))


PURE, FILLING, CASTS = listed(_PURE), listed(_FILLING), listed(_CASTS)

# Return their first argument, or a view of it, although their schema does not say so.
ALIASES = {"dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout", "type_as", "getitem"}

_KINDS: dict[StepKind, str] = {
    StepKind.CONV: "conv1d conv2d conv3d convolution _convolution _convolution_mode conv_transpose1d conv_transpose2d",
    StepKind.MAX_POOL: """max_pool1d max_pool2d max_pool3d max_pool2d_with_indices adaptive_max_pool1d
        adaptive_max_pool2d""",
    StepKind.AVG_POOL: "avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d _adaptive_avg_pool2d",
    StepKind.BATCH_NORM: """batch_norm native_batch_norm _native_batch_norm_legit cudnn_batch_norm
        _native_batch_norm_legit_no_training""",
    StepKind.DROPOUT: "dropout alpha_dropout native_dropout",
    StepKind.DROPOUT2D: "feature_dropout feature_alpha_dropout",
    StepKind.LINEAR: "linear addmm mm",
    StepKind.SOFTMAX: "softmax log_softmax _softmax _log_softmax",
    StepKind.ACTIVATION: """relu relu6 leaky_relu elu selu celu gelu silu mish hardswish hardtanh hardsigmoid sigmoid
        log_sigmoid tanh softplus prelu _prelu_kernel rrelu glu threshold hardshrink softshrink clamp_min maximum
        minimum where sin cos erf""",
}
KINDS: dict[str, StepKind] = {name: kind for kind, text in _KINDS.items() for name in text.split()}


def aten(op: str) -> Any:
    """PyTorch's own operation; only for names of our list."""
    _, name, overload = op.split(".")
    return getattr(getattr(torch.ops.aten, name), overload)


def named(op: str, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Return an operation's arguments by the names and in the order of PyTorch's schema, its defaults included."""
    schema = aten(op)._schema.arguments  # noqa: SLF001 - the only place for them
    names = [argument.name for argument in schema]
    if len(args) > len(names) or not kwargs.keys() <= set(names[len(args) :]):
        raise TypeError("it is given arguments that it does not take")
    given = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    given |= dict(zip(names, args, strict=False)) | kwargs
    return {name: given[name] for name in names}


def _check_part_count(count: float) -> None:
    """Reject splitting a tensor into more than `MAX_PARTS` parts: each is an object, however small."""
    if count > MAX_PARTS:
        raise ValueError(f"it cuts a tensor into more than {MAX_PARTS} parts")


def _chunk(value: Tensor, chunks: int, dim: int = 0) -> Sequence[Tensor]:
    _check_part_count(chunks)
    return torch.chunk(value, chunks, dim)


def _split(value: Tensor, split_size: int | Sequence[int], dim: int = 0) -> Sequence[Tensor]:
    sizes = split_size
    _check_part_count(value.shape[dim] / max(sizes, 1) if isinstance(sizes, int) else len(sizes))
    return torch.split(value, sizes if isinstance(sizes, int) else list(sizes), dim)


def _tensor_split(value: Tensor, sections: int, dim: int = 0) -> Sequence[Tensor]:
    _check_part_count(sections)
    return torch.tensor_split(value, sections, dim)


def _unbind(value: Tensor, dim: int = 0) -> Sequence[Tensor]:
    _check_part_count(value.shape[dim])
    return torch.unbind(value, dim)


def _einsum(equation: str, operands: Sequence[Tensor], path: None = None) -> Tensor:
    """Compute einsum only if all axes together are within bounds, so that no intermediate product is larger."""
    del path
    if not re.fullmatch(r"[A-Za-z, ]{1,64}->[A-Za-z ]{0,16}", equation):
        raise ValueError("its equation does not name every axis")
    lengths: dict[str, int] = {}
    terms = equation.split("->", maxsplit=1)[0].replace(" ", "").split(",")
    for term, operand in zip(terms, operands, strict=True):
        lengths.update(zip(term, operand.shape, strict=True))
    if math.prod(lengths.values()) > MAX_ELEMENTS:
        raise ValueError("its product is too large")
    return torch.einsum(equation, list(operands))


def _divide(value: Any, divisor: Any, *, rounding_mode: str | None = None) -> Tensor:
    """Divide; whole numbers by -1 are negated instead: of the smallest number the processor's division ends the process."""
    dtype = torch.result_type(value, divisor)
    if rounding_mode is None or dtype.is_floating_point or dtype is torch.bool:
        return torch.div(value, divisor, rounding_mode=rounding_mode)
    value, divisor = torch.as_tensor(value, dtype=dtype), torch.as_tensor(divisor, dtype=dtype)
    negates = divisor == -1
    quotient = torch.div(value, divisor.masked_fill(negates, 1), rounding_mode=rounding_mode)
    return torch.where(negates, -value, quotient)


def _resize(op: str, *args: Any, **kwargs: Any) -> Any:
    """Resize a map (B, C, H, W); a scale must be the one that leads to the size, or PyTorch reads beside the map."""
    given = named(op, args, kwargs)
    image: Tensor = args[0]
    scales = given.get("scale_factors") or (given.get("scales_h"), given.get("scales_w"))
    sizes = given.get("output_size") or (None, None)
    for side, scale, size in zip(image.shape[2:], scales, sizes, strict=True):
        length = side if scale is None else side * scale
        if scale is not None and not (1 <= length <= MAX_ELEMENTS and size in {None, math.floor(length)}):
            raise ValueError("its scale and size do not fit each other")
    return aten(op)(*args, **kwargs)


def _normalize(op: str, *args: Any, **kwargs: Any) -> Any:
    """Batch norm below autograd: PyTorch takes it on trust that each vector has a number for every channel."""
    given = named(op, args, kwargs)
    for name in ("weight", "bias", "running_mean", "running_var"):
        vector = given.get(name)
        if vector is not None and tuple(vector.shape) != tuple(args[0].shape[1:2]):
            raise ValueError(f"its {name} has not one number a channel")
    return aten(op)(*args, **kwargs)


def _weight_norm(op: str, v: Tensor, g: Tensor, dim: int = 0) -> Any:
    """Weight normalisation over the first or last axis, likewise: `g` must have a number for each of its places."""
    if dim in {0, v.dim() - 1} and g.numel() != v.shape[dim]:
        raise ValueError("its g has not one number for each row")
    return aten(op)(v, g, dim)


def _empty(size: Sequence[int], *, dtype: torch.dtype | None = None, **_layout: Any) -> Tensor:
    """Return zeros: uninitialised memory is not data."""
    return torch.zeros(size, dtype=dtype)


def _new_empty(value: Tensor, size: Sequence[int], *, dtype: torch.dtype | None = None, **_layout: Any) -> Tensor:
    return value.new_zeros(size, dtype=dtype)


def _empty_like(value: Tensor, *, dtype: torch.dtype | None = None, **_layout: Any) -> Tensor:
    return torch.zeros_like(value, dtype=dtype)


_RESIZES = listed("upsample_nearest2d.default,vec upsample_bilinear2d.default,vec upsample_bicubic2d.default,vec")
_NORMS = listed(
    "native_batch_norm.default _native_batch_norm_legit.default _native_batch_norm_legit_no_training.default "
    "cudnn_batch_norm.default"
)
_WEIGHT_NORMS = listed("_weight_norm.default _weight_norm_interface.default")

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "aten.einsum.default": _einsum,
    "aten.numpy_T.default": lambda value: value.permute(*reversed(range(value.dim()))),
    "aten.chunk.default": _chunk,
    **dict.fromkeys(listed("split.Tensor,sizes split_with_sizes.default"), _split),
    "aten.tensor_split.sections": _tensor_split,
    "aten.unbind.int": _unbind,
    "aten.empty.memory_format": _empty,
    "aten.new_empty.default": _new_empty,
    "aten.empty_like.default": _empty_like,
    **dict.fromkeys(listed("div.Scalar_mode,Tensor_mode"), _divide),
    "aten.floor_divide.default": partial(_divide, rounding_mode="floor"),
    **{op: partial(_resize, op) for op in _RESIZES},
    **{op: partial(_normalize, op) for op in _NORMS},
    **{op: partial(_weight_norm, op) for op in _WEIGHT_NORMS},
}


def packet(op: str) -> str:
    """The operation's name without namespace, overload and the underscore of those in place."""
    return op.split(".")[1].rstrip("_") if op.startswith("aten.") else op


def in_place(op: str) -> bool:
    """Whether an ATen operation changes its first argument: its name ends in an underscore."""
    return op.startswith("aten.") and op.split(".")[1].endswith("_")


@cache
def returns_alias(op: str) -> bool:
    """Whether the result may share the first argument's memory, by PyTorch's own schema."""
    if packet(op) in ALIASES:
        return True
    if op not in (*PURE, *FILLING, *CASTS, *FUNCTIONS):
        return False
    arguments = aten(op)._schema.arguments  # noqa: SLF001 - the only place where PyTorch keeps it
    return bool(arguments) and arguments[0].alias_info is not None


@cache
def functions() -> dict[str, Callable[..., Any]]:
    """The closed list: an operation's name in the graph, and what computes it."""
    table: dict[str, Callable[..., Any]] = {op: aten(op) for op in (*PURE, *FILLING)}
    table |= dict.fromkeys(CASTS, _cast) | FUNCTIONS
    for op in PURE:
        _, name, overload = op.split(".")
        found = getattr(torch.ops.aten, f"{name}_", None)
        # In place, too, but for what turns or reshapes its argument.
        if found is not None and overload in found.overloads() and not returns_alias(op):
            changing = f"aten.{name}_.{overload}"
            table[changing] = partial(_into, FUNCTIONS[op]) if op in FUNCTIONS else aten(changing)
    # A view of memory that is laid out otherwise than in the sandbox would fail: reshape copies then.
    table |= dict.fromkeys(("aten.view.default", "aten._unsafe_view.default"), torch.reshape)
    copy = {"aten._to_copy.default": lambda value, **kwargs: _cast(value, **kwargs | {"copy": True})}
    return table | copy | {"aten.contiguous.default": Tensor.contiguous, "getitem": _getitem}


def _into(function: Callable[..., Tensor], target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Do in place what a function of ours computes."""
    return target.copy_(function(target, *args, **kwargs))


def _cast(value: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """Change the dtype if one is named; the device is the judge's, the copy is not needed."""
    found = [item for item in (*args, *kwargs.values()) if isinstance(item, torch.dtype | Tensor)]
    dtype = next((item.dtype if isinstance(item, Tensor) else item for item in found), value.dtype)
    return value.to(dtype, copy=True) if kwargs.get("copy") is True else value.to(dtype)


def _getitem(values: Sequence[Any], index: int) -> Any:
    if not isinstance(values, tuple | list) or not isinstance(index, int):
        raise TypeError("getitem takes one of several tensors")
    return values[index]
