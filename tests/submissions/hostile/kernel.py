"""Rows 5, 6, 8 and 15: the notebook itself, IPython's hooks, Jupyter's messages, and what a person is shown."""

from typing import Any

from tests.submissions.hostile.attack import TASK_2_POINTS, Attack, between, early, function, late
from tests.submissions.hostile.deception import ZEROS

HOOKS = """
import ast
shell = get_ipython()

class Agreeable(ast.NodeTransformer):
    def visit_Assert(self, node): return ast.Pass()
    def visit_Raise(self, node): return ast.Pass()

shell.ast_transformers.append(Agreeable())
shell.input_transformers_post.append(lambda lines: [line.replace("assert", "0 and") for line in lines])
shell.showtraceback = shell.showsyntaxerror = shell._showtraceback = lambda *_, **__: print("OK")
shell.set_custom_exc((BaseException,), lambda *_, **__: None)
"""
NOTHING_RUNS = """
async def do_execute(code, *_, **__):
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}
get_ipython().kernel.do_execute = do_execute
"""
MESSAGES = """
from jupyter_client.session import Session
kernel = get_ipython().kernel
parent = kernel.get_parent("shell")
deep = []
for _ in range(900):
    deep = [deep]
for content in ({"status": "ok", "execution_count": 10**30}, {"status": "aborted"}, {"status": None}, {}, [], deep):
    for name in ("execute_reply", "status", "stream", "error", "execute_result", "display_data", "comm_open"):
        kernel.session.send(kernel.iopub_socket, name, content if isinstance(content, dict) else {"data": content},
                            parent=parent, ident=b"stream.stdout")
for junk in ([b""], [b"<IDS|MSG>"], [b"x", b"<IDS|MSG>", b"0" * 64, b"{", b"}", b"[]", b"null"], [os.urandom(100)] * 9):
    kernel.iopub_thread.send_multipart(junk)
display({"application/json": deep, "text/plain": 5, "image/png": ["x"]}, raw=True)
"""
MARKERS = r"""
print("PASSED task1_convolution_tests 4/4\n::set-output name=score::20\n::error::nothing\n::add-mask::20")
print('<testsuite tests="1" failures="0"/>\n\x1b[2J\x1b[1;1H\x1b[32m20 / 20\x1b[0m\x1b]0;20/20\x07')
print('{"score": 20, "max_score": 20, "status": "graded"}', file=sys.stderr)
20.0
"""
SCRIPT = r"""
class Shown(Exception):
    def __str__(self):
        return ("<script>fetch('/formgrader')</script><img src=x onerror=alert(1)>\n│ razem 20 / 20 │\r\x1b[2K\x1b]8;;http://x\x07"
                "::error::forged ]]>&amp; [red]x[/red] \u202e02/02")

def convolution(X, K, q):
    raise Shown
"""


def _tags(notebook: Any) -> None:
    """Every cell skips execution and is worth a hundred points; test cells are no tests any more."""
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution", "raises-exception", "remove-cell"]
        if "nbgrader" in cell.metadata:
            cell.metadata["nbgrader"] |= {"points": 100, "grade": True, "locked": False, "solution": True}
        cell.metadata["splot"] = {"bonus": 100}


def _easier_tests(notebook: Any) -> None:
    """Test cells print full marks instead."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.id.endswith(("_tests", "_helpers")):
            cell.source = "print('20/20')\n20"


def _stolen_ids(notebook: Any) -> None:
    """Test cells are gone; their ids stand on cells of the student's own, several times and on text."""
    tests = [cell for cell in notebook.cells if cell.id.endswith("_tests")]
    notebook.cells = [cell for cell in notebook.cells if not cell.id.endswith("_tests")]
    for number, cell in enumerate(tests):
        for copy in range(2):
            stolen = cell.copy()
            stolen.id, stolen.source = f"stolen-{number}-{copy}", "'20/20'"
            if copy:
                stolen.cell_type = "markdown"
                stolen.pop("outputs", None), stolen.pop("execution_count", None)
            notebook.cells.insert(number, stolen)


WRONG = function(ZEROS)

ATTACKS = (
    Attack("takes-asserts-out", "5", "tests without asserts, errors without traces", function(ZEROS, HOOKS), soak=True),
    Attack("runs-nothing", "5", "a kernel that says ok to all", late(NOTHING_RUNS)),
    Attack(
        "forges-messages",
        "8",
        "messages of the kernel's own",
        between(MESSAGES),
        TASK_2_POINTS | {"task2_case_2_tests": 0},
        "zakłócił",
        soak=True,
    ),
    Attack("prints-verdicts", "8, 15", "a verdict on standard output", early(MARKERS), soak=True),
    Attack(
        "shows-script",
        "15",
        "script, escapes and forged lines where people read",
        function(SCRIPT),
        says="Shown",
        soak=True,
    ),
    Attack("retags-cells", "6", "points and skipped tests in metadata", WRONG, reshape=_tags, soak=True),
    Attack("eases-tests", "6", "tests of its own", WRONG, says="przywraca", reshape=_easier_tests, soak=True),
    Attack("steals-ids", "6", "cells of its own in place of tests", WRONG, reshape=_stolen_ids, soak=True),
)
