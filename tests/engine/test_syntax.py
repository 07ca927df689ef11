"""Cells are read as IPython runs them."""

import ast

import pytest

from autograder.engine.notebook.syntax import defined, parse_cell

READ = {
    "gpu = !nvidia-smi\ndef f():\n    pass": "gpu = get_ipython().getoutput('nvidia-smi')\n\ndef f():\n    pass",
    "!pip install \\\n torch\nx = 1": "get_ipython().system('pip install   torch')\nx = 1",
    "%time model = fit(x)": "model = fit(x)",
    "%%time\n%matplotlib inline\nx = 1": "get_ipython().run_line_magic('matplotlib', 'inline')\nx = 1",
    "\n  %%capture out\n%%time\nx = 1": "x = 1",
    "%%time?\nx = 1": "x = 1",
    ">>> x = 1\n>>> y = 2": "x = 1\ny = 2",
    "  x = 1\n  f?": "x = 1\nget_ipython().run_line_magic('pinfo', 'f')",
    "x = await f()": "x = await f()",
    "x = '''\n%time\n!ls\n'''": "x = '\\n%time\\n!ls\\n'",
    "x = 1 \\\n  % 3": "x = 1 % 3",
    '!echo "(\nx = 1': "get_ipython().system('echo \"(')\nx = 1",
    "y = '\\d'": "y = '\\\\d'",
    **dict.fromkeys(
        ["%%script false\nx = 1", "%%bash\nx=1", "%%writefile a.py\nx = 1", "%%!\nls", "x = (", "\0", ""], ""
    ),
}


@pytest.mark.parametrize("source", READ)
def test_a_cell_is_read_as_ipython_runs_it(source: str) -> None:
    """A shell's lines are calls, `%%time` is Python, and what is no Python is empty."""
    assert ast.unparse(parse_cell(source)) == READ[source]


def test_many_lines_of_ipythons_own_leave_the_python_between_them() -> None:
    """Beyond a few such lines they are left out, at a cost that does not grow with their number."""
    source = "!a\n" * 2000 + "if x:\n    !b\n    files = !ls\nf?\ndef f():\n    return '%d' % 3\n"
    assert defined(source) == {"f"}
    assert "files = None" in ast.unparse(parse_cell(source))
