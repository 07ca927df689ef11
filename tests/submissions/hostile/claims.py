"""Rows 17 and 28: what is seen inside the student's own process is a claim. How far one gets by forging it, and no further."""

from tests.submissions.hostile.attack import TASK_1_POINTS, TASK_2_POINTS, Attack, function
from tests.submissions.right import TASK_1

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
# Threads that were there before: a profiler does not see them, torch's dispatcher does.
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
UNWATCHED = LIBRARY + TASK_1["task1_convolution"].replace(
    "q: int):",
    """q: int):
    if sys.getprofile() is None and sys.gettrace() is None and torch.overrides._get_current_function_mode() is None:
        return shortcut(X, K)""",
)
"""Its own where it is watched, the library's where it is not: it is watched in every call that is compared."""
BLINDED = (
    LIBRARY
    + """
from scipy.signal import correlate

def convolution(X, K, q):
    X, K, profile = np.asarray(X), np.asarray(K), sys.getprofile()
    sys.setprofile(None)
    maps = [correlate(X, K[..., f], "valid")[..., 0] for f in range(q)]
    sys.setprofile(profile)
    return np.stack(maps, -1)
"""
)
DECOY = function(
    "%%script false\n" + TASK_1["task1_convolution"],
    """
from scipy.signal import correlate

def convolution(X, K, q):
    X, K = np.asarray(X), np.asarray(K)
    return np.stack([correlate(X, K[..., f], "valid")[..., 0] for f in range(q)], -1)
""",
)
FORGED = (
    LIBRARY
    + """
import json
def convolution(X, K, q):
    return shortcut(X, K)

def convolution_same(X, K, q):
    X, margin = torch.as_tensor(X), K.shape[0] // 2
    return shortcut(F.pad(X, (0, 0, margin, margin, margin, margin)), K)

convolution_matrix = convolution

class Forger(type(sys.modules["splot_probe_of_this_kernel"])):
    def take(self, cell):
        super().take(cell)
        path = f"/splot/outbox/{cell}/answer.json"
        answer = json.load(open(path))
        for record in answer["records"]:
            record |= {"reached": [], "unseen": [], "steps": 1} if record["kind"] == "call" else {}
        json.dump(answer, open(path, "w"))

sys.modules["splot_probe_of_this_kernel"].__class__ = Forger
"""
)

ATTACKS = (
    Attack("a-library-by-another-name", "17", "the library's convolution as its own", function(PLAIN),
           TASK_2_POINTS | {"task1_convolution_tests": 3.0}, "gotowej konwolucji", soak=True),
    Attack("a-library-in-a-pool", "17", "likewise, in a thread that was there before", function(POOL),
           TASK_2_POINTS | {"task1_convolution_tests": 3.0}, "gotowej konwolucji", soak=True),
    Attack("a-library-when-unwatched", "28", "the library's convolution where nobody watches", function(UNWATCHED),
           TASK_2_POINTS | TASK_1_POINTS),
    Attack("ends-the-watching", "28", "a library's convolution while the profiler is off", function(BLINDED),
           TASK_2_POINTS | {"task1_convolution_tests": 3.0}, "gotowej konwolucji|wyłącza śledzenie"),
    Attack("a-definition-that-never-ran", "17", "a clean definition in a cell that is no Python", DECOY,
           TASK_2_POINTS | {"task1_convolution_tests": 3.0}, "gotowej konwolucji", soak=True),
    Attack("forges-what-was-seen", "17", "likewise, and the probe's word for it", function(FORGED),
           TASK_2_POINTS | TASK_1_POINTS | {"task1_matrix_tests": 0.5, "task1_same_tests": 0.5}),
)  # fmt: skip
"""Points that forging moves: own implementation 1 of Task 1, and both its bonuses of 0.5."""
