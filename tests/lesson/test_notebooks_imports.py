"""The notebook's own imports, made faster: what they bring in, and that nothing else differs."""

import subprocess
import sys

FRESH = """
import gc, sys
from autograder.lesson.recorders import imports

imports.prepare()
import torch, torchvision
from torchvision.ops import roi_align
print("torch._dynamo" in sys.modules, gc.isenabled())
boxes = torch.tensor([[0.0, 0.0, 0.0, 4.0, 4.0]])
plain = roi_align(torch.ones(1, 3, 8, 8), boxes, 2)
from torchvision.ops.roi_align import is_compile_supported
asked = is_compile_supported("cpu")
import torch._dynamo.utils
print(asked is torch._dynamo.utils.is_compile_supported("cpu"), torch._dynamo is sys.modules["torch._dynamo"])
print(torch.compile(lambda x: x + 1, backend="eager")(plain).sum().item(), gc.isenabled())
"""


def test_torchvision_comes_without_the_compiler_until_it_is_used() -> None:
    """The compiler is imported when somebody asks for it, and is then the real one."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FRESH], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["False True", "True True", "24.0 True"]
