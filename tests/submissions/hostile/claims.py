"""Row 17: what is seen inside the student's own process is a claim. How far one gets by forging it, and no further."""

from tests.submissions.hostile.attack import TASK_1_POINTS, TASK_2_POINTS, Attack, function

LIBRARY = """
def shortcut(X, K):
    x, k = torch.as_tensor(X).permute(2, 0, 1)[None], torch.as_tensor(K).permute(3, 2, 0, 1)
    return getattr(F, "co" + "nv2d")(x, k)[0].permute(1, 2, 0)
"""
PLAIN = (
    LIBRARY
    + """
def convolution(X, K, q):
    return shortcut(X, K)
"""
)
# Threads that were there before are watched by nobody.
POOL = (
    LIBRARY
    + """
from concurrent.futures import ThreadPoolExecutor
pool = ThreadPoolExecutor(1)
pool.submit(int).result()

def convolution(X, K, q):
    return pool.submit(shortcut, X, K).result()
"""
)
FORGED = (
    LIBRARY
    + """
import json
def convolution(X, K, q):
    return shortcut(X, K)

convolution_matrix = convolution
calls = None

class Forger(type(sys.modules["splot_probe_of_this_kernel"])):
    def take(self, cell):
        super().take(cell)
        path = f"/splot/outbox/{cell}/answer.json"
        answer = json.load(open(path))
        for record in answer["records"]:
            record |= {"reached": [], "steps": 1} if record["kind"] == "call" else {}
        json.dump(answer, open(path, "w"))

sys.modules["splot_probe_of_this_kernel"].__class__ = Forger
"""
)

ATTACKS = (
    Attack("a-library-by-another-name", "17", "the library's convolution as its own", function(PLAIN),
           TASK_2_POINTS | {"task1_convolution_tests": 3.0}, "gotowej konwolucji", soak=True),
    Attack("a-library-in-a-pool", "17", "likewise, in a thread that nobody watches", function(POOL),
           TASK_2_POINTS | TASK_1_POINTS, soak=True),
    Attack("forges-what-was-seen", "17", "likewise, and the probe's word for it", function(FORGED),
           TASK_2_POINTS | TASK_1_POINTS | {"task1_matrix_tests": 0.5}),
)  # fmt: skip
"""Points that forging moves: own implementation 1 of Task 1, and the bonus of 0.5 for the absence of a loop."""
