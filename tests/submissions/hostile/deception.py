"""Rows 3, 4, 18 and 19: a wrong solution that makes comparisons agree, or looks up what it cannot compute."""

from tests.submissions.hostile.attack import TASK_2_POINTS, Attack, function

ZEROS = """
def convolution(X, K, q):
    return np.zeros((X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[0] + 1, q))
"""
COMPARISONS = """
import builtins, math, unittest
yes = lambda *_, **__: True
for module in (np, np.testing, torch, torch.testing, math):
    for name in ("allclose", "array_equal", "isclose", "equal", "assert_allclose", "assert_array_equal", "assert_close"):
        if hasattr(module, name):
            setattr(module, name, yes)
torch.Tensor.equal = torch.Tensor.allclose = torch.Tensor.__eq__ = yes
unittest.TestCase.assertTrue = unittest.TestCase.assertEqual = yes
builtins.AssertionError = type("AssertionError", (Exception,), {"__init__": lambda self, *a: sys.exit(0)})
"""
REFERENCE = (
    ZEROS
    + """
def library(input, weight, *_, **__):
    return torch.zeros(input.shape[0], weight.shape[0], input.shape[2] - weight.shape[2] + 1,
                       input.shape[3] - weight.shape[3] + 1)
F.conv2d = torch.conv2d = torch.nn.functional.conv2d = library
"""
)
AGREEABLE = """
class Agreeable(np.ndarray):
    def __eq__(self, other): return True
    def __sub__(self, other): return np.zeros(1)
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    __rsub__ = __array_wrap__ = __array_ufunc__ = lambda self, *_, **__: np.zeros(1)

def convolution(X, K, q):
    return np.ones((X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[0] + 1, q)).view(Agreeable)
"""
SUBCLASS = """
class Late(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        return torch.full((4, 4, 5), float("nan")) if "eq" in str(function) else super().__torch_function__(
            function, types, arguments, options or {})

def convolution(X, K, q):
    return torch.zeros(X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[0] + 1, q).as_subclass(Late)
"""
LAZY = """
class Lazy:
    dtype, ndim = np.dtype(float), 3
    def __init__(self, shape): self.shape = shape
    def __array__(self, *_, **__): return np.zeros(self.shape)
    def __eq__(self, other): return np.array(True)
    def __getattr__(self, name): return lambda *_, **__: self

def convolution(X, K, q):
    return Lazy((X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[0] + 1, q))
"""
OBJECTS = """
class Evil:
    def __reduce__(self): return os.system, ("touch /tmp/pickled",)

def convolution(X, K, q):
    return np.array([[[Evil()] * q]], dtype=object)
"""
# The sheet's kernels and images are known; what is asked beside them is drawn for each submission.
TABLE = """
def known(h, k, q):
    X = torch.arange(h * h * 3, dtype=torch.float32).reshape(h, h, 3) % 10
    return X, torch.ones(k, k, 3, q)

table = {}

def convolution(X, K, q):
    key = (tuple(X.shape), tuple(K.shape))
    if key in {((6, 6, 3), (3, 3, 3, 5)), ((12, 12, 3), (3, 3, 3, 5)), ((24, 24, 3), (1, 1, 3, 10))}:
        x, k = torch.as_tensor(X).permute(2, 0, 1)[None].float(), torch.as_tensor(K).permute(3, 2, 0, 1).float()
        return F.conv2d(x, k)[0].permute(1, 2, 0)
    return next(iter(table.values()), np.zeros((X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[0] + 1, q)))
"""
SHADOWS = """
import site
text = "raise SystemExit('shadowed')\\nallclose = array_equal = lambda *_, **__: True\\n"
for folder in (".", "/tmp", "/splot/outbox", site.getusersitepackages(), *site.getsitepackages()):
    for name in ("torch", "numpy", "pytest", "conftest", "sitecustomize", "usercustomize", "json", "msgspec"):
        try:
            os.makedirs(folder, exist_ok=True)
            open(f"{folder}/{name}.py", "w").write(text)
        except OSError:
            pass
os.makedirs(os.path.expanduser("~/.ipython/profile_default/startup"), exist_ok=True)
open(os.path.expanduser("~/.ipython/profile_default/startup/0.py"), "w").write(text)
sys.path.insert(0, ".")
"""

ATTACKS = (
    Attack("patches-comparisons", "3", "a comparison that says yes", function(ZEROS, COMPARISONS)),
    Attack("patches-the-library", "3", "a library that is as wrong as itself", function(REFERENCE), soak=True),
    Attack("arrays-that-agree", "4", "an array that equals anything", function(AGREEABLE), soak=True),
    Attack("tensors-that-agree", "4", "a tensor class with its own operations", function(SUBCLASS), soak=True),
    Attack("lazy-arrays", "4", "an object that decides later what it is", function(LAZY), soak=True),
    Attack("arrays-of-objects", "4, 9", "objects whose pickle runs a command", function(OBJECTS), soak=True),
    Attack("a-table-of-answers", "18", "the sheet's cases alone", function(TABLE),
           TASK_2_POINTS | {"task1_convolution_tests": 1.0}, soak=True),
    Attack("shadows-modules", "19", "modules of its own under famous names", function(ZEROS, SHADOWS)),
)  # fmt: skip
