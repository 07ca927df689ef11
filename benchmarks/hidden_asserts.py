"""Hidden tests of the usual kind, for graders that run them beside the student's code: nbgrader's and otter's share.

Splot's own graders read evidence and cannot run there. These are what an instructor may write instead, in an afternoon, by cell:
inputs that the notebook does not show, the calibrated accuracy, which functions a network calls. The right sample passes all.
"""

CONVOLUTION = """
import inspect as _inspect, re as _re
_rng = np.random.default_rng(4711)
for _image, _kernel in (((9, 13, 1), (3, 3, 1, 2)), ((8, 8, 3), (7, 7, 3, 1)), ((7, 6, 4), (3, 3, 4, 6))):
    _X, _K = (torch.from_numpy(_rng.normal(size=shape)) for shape in (_image, _kernel))
    _right = F.conv2d(_X.permute(2, 0, 1)[None], _K.permute(3, 2, 0, 1), padding={padding})[0].permute(1, 2, 0).numpy()
    def _agrees(X, K):
        try:
            output = np.asarray({name}(X, K, K.shape[-1]))
        except Exception:
            return False
        return output.shape == _right.shape and bool(abs(output - _right).max() < 1e-5)
    assert _agrees(_X.clone(), _K.clone()) or _agrees(_X.numpy(), _K.numpy()), "wrong on other images"
assert not _re.search("conv[123]d|correlate", _inspect.getsource({name})), "a library's convolution"
"""
CALLS = """
def _calls(name):
    class Calls(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            found.append(getattr(function, "__name__", ""))
            return function(*args, **(kwargs or {}))
    found = []
    with Calls():
        models[name].eval()(torch.stack([testset[i][0] for i in range(2)]))
    return found
"""
ACTIVATION = r"""
import re as _re
_order = " ".join(_calls("baseline"))
assert len(_re.findall(r"conv2d(?:(?!conv2d).)*?(relu|elu|silu|sigmoid|tanh|mish|hardswish)", _order)) >= 2, "no activation"
"""
HIDDEN = {
    "task1_convolution_tests": CONVOLUTION.format(name="convolution", padding=0),
    "task1_matrix_tests": CONVOLUTION.format(name="convolution_matrix", padding=0),
    "task1_same_tests": CONVOLUTION.format(name="convolution_same", padding="_K.shape[0] // 2"),
    "task2_case_1_tests": "assert type(case_1) is nn.Conv2d and case_1(torch.zeros(1, 3, 224, 224)).shape == (1, 64, 55, 55)",
    "task3_architecture_tests": CALLS + ACTIVATION,
    "task3_accuracy_tests": "assert measured_accuracy(models['baseline']) >= {threshold}",
    "task4_exp1_tests": "assert all(any(kind in call for call in _calls(kind)) for kind in ('max_pool', 'avg_pool'))",
    "task4_exp2_tests": "assert averaged_map(models['gap']) is not None",
    "task4_exp3_tests": "assert any('batch_norm' in call for call in _calls('regularized'))",
    "task5_cam_tests": "assert not map_left_out()",
}
"""By test cell; `{threshold}` is the calibrated accuracy on all data. `_calls` stays from the cell of Task 3."""


def hidden_tests(threshold: float) -> dict[str, str]:
    """Return the hidden tests by cell."""
    return {cell: code.replace("{threshold}", str(threshold)).strip("\n") for cell, code in HIDDEN.items()}
