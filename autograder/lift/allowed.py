"""The closed list of ATen operations a model may consist of, and what each is in the lesson's words.

All are functions of their arguments and touch no file. A word is an operation's name, its overloads after the point.
"""

from .steps import StepKind

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
_GUARDED = """chunk.default einsum.default numpy_T.default split.Tensor,sizes split_with_sizes.default
    tensor_split.sections unbind.int"""


def _listed(text: str) -> tuple[str, ...]:
    listed = (word.split(".") for word in text.split())
    return tuple(f"aten.{name}.{overload}" for name, overloads in listed for overload in overloads.split(","))


PURE = _listed(_PURE)
FILLING = _listed(_FILLING)
CASTS = _listed(_CASTS)
GUARDED = _listed(_GUARDED)

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
