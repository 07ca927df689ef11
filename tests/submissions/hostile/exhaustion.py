"""Row 12: taking all there is of memory, processes, disk, output or time. Each must be told its limit by name."""

from tests.submissions.hostile.attack import (
    MARKER,
    TASK_2_POINTS,
    Attack,
    between,
    function,
    late,
)

FORK_BOMB = f"""
import ctypes
ctypes.CDLL(None).prctl(15, b"{MARKER}", 0, 0, 0)
def bomb():
    while True:
        try:
            if os.fork() == 0:
                bomb()
        except OSError:
            time.sleep(2)
bomb()
"""
THREADS = """
kept = [threading.Thread(target=time.sleep, args=(10**6,), daemon=True) for _ in range(2000)]
for thread in kept:
    thread.start()
"""
EIGHT_PROCESSES = """
for _ in range(8):
    if os.fork() == 0:
        held = np.ones(1 << 25)
        time.sleep(10**6)
time.sleep(10**6)
"""
SHARED = """
import mmap
held = []
while True:
    held.append(mmap.mmap(-1, 1 << 26))
    held[-1].write(b"x" * (1 << 26))
"""
IN_MEMORY_FILES = """
for name in ("/dev/shm/a", "/tmp/b", "c"):
    try:
        with open(name, "wb") as file:
            while True:
                file.write(b"x" * (1 << 20))
    except OSError as error:
        print(name, error.errno)
os.remove("/dev/shm/a"); os.remove("/tmp/b"); os.remove("c")
raise OSError(28, "No space left on device")
"""
DISK = """
for n in range(10**4):
    with open(f"/splot/outbox/{n}", "wb") as file:
        file.write(os.urandom(1 << 22))
"""
INODES = """
for n in range(10**6):
    os.mkdir(f"/splot/outbox/{n}")
    os.symlink("/etc/passwd", f"/splot/outbox/{n}/{n}")
"""
ONE_FILE = """
with open("/tmp/large", "wb") as file:
    os.ftruncate(file.fileno(), 1 << 40)
"""
OUTPUT = """
for n in range(300):
    print("x" * 10**7)
    os.write(1, b"y" * 10**5)
    display({"text/plain": "z" * 10**6}, raw=True)
"""
MESSAGE = """
display({"text/plain": "z" * (64 << 20)}, raw=True)
"""
MANY_PARTS = """
for _ in range(3):
    get_ipython().kernel.iopub_thread.socket.send_multipart([b"x" * (6 << 20)] * 40)
    get_ipython().kernel.iopub_thread.socket.send_multipart([b""] * 200_000)
"""
COMM_BUFFERS = """
from comm import create_comm
comm = create_comm(target_name="jupyter.widget", data={"state": {"_model_name": "OutputModel", "x": "x" * 10**6}})
for n in range(30):
    comm.send({"state": {str(n): None}, "buffer_paths": [[str(n)]]}, buffers=[bytes(7 << 20)])
"""
ENDLESS_TALK = """
kernel = get_ipython().kernel
parent = kernel.get_parent("shell")
other = dict(parent, header=dict(parent["header"], msg_id="other"))
while True:
    kernel.session.send(kernel.parent.shell_socket, "execute_reply", {"status": "ok"}, other,
                        parent["header"]["session"].encode())
"""
LOG = """
with open("/proc/1/fd/2", "wb", 0) if os.access("/proc/1/fd/2", os.W_OK) else open("/dev/null", "wb", 0) as log:
    for n in range(3000):
        log.write(b"y" * (1 << 20))
for fd in range(1, 64):
    try:
        for n in range(300):
            os.write(fd, b"y" * (1 << 20))
    except (OSError, BlockingIOError):
        pass
"""
SLEEP = "time.sleep(10**6)\n"
DEAF = """
signal.signal(signal.SIGINT, signal.SIG_IGN)
while True:
    try:
        while True: pass
    except BaseException:
        pass
"""
DEAF_PROBE = """
def convolution(X, K, q):
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    while True:
        time.sleep(1)
"""
ENDLESS = """
import itertools
histories = {"baseline": {"train_loss": itertools.count(), "val_loss": iter(int, 1), "val_accuracy": range(10**15)}}

class Endless(nn.Module):
    def parameters(self, *_): return iter(lambda: torch.zeros(1), 0)
    named_parameters = buffers = modules = parameters

models["baseline"] = Endless()
"""
HUGE_ANSWER = """
def convolution(X, K, q):
    return np.broadcast_to(np.float64(1), (10**6, 10**6)) if q == 5 else np.lib.stride_tricks.as_strided(
        np.zeros(1), (10**12,), (0,))
"""

ATTACKS = (
    Attack("forks", "12", "every process there is", between(FORK_BOMB), TASK_2_POINTS | {"task2_case_2_tests": 0},
           "limit|zakończył", soak=True),
    Attack("starts-threads", "12", "every thread there is", between(THREADS), TASK_2_POINTS | {"task2_case_2_tests": 0},
           "limit procesów", soak=True),
    Attack("eight-processes-of-memory", "12", "eight times what one may take", between(EIGHT_PROCESSES),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, "pamięci", soak=True),
    Attack("shared-memory", "12", "memory that is nobody's: it cannot be had", between(SHARED),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, soak=True),
    Attack("files-in-memory", "12", "memory by way of files", between(IN_MEMORY_FILES),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, "limit|pamięci", soak=True),
    Attack("fills-the-disk", "12", "the grader's disk", between(DISK), TASK_2_POINTS | {"task2_case_2_tests": 0},
           "limit zapisu"),
    Attack("makes-a-million-files", "12", "the grader's inodes", between(INODES),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, "limit zapisu", soak=True),
    Attack("one-large-file", "12", "a file without end", between(ONE_FILE), TASK_2_POINTS | {"task2_case_2_tests": 0},
           "limit wielkości", soak=True),
    Attack("prints-gigabytes", "12", "the report's size", between(OUTPUT), says="limit wypisywania"),
    Attack("one-long-message", "12", "the grader's memory", between(MESSAGE), says="limit wypisywania", soak=True),
    Attack("one-message-of-many-parts", "24", "likewise, in parts that are each short", between(MANY_PARTS),
           says="limit wypisywania", soak=True),
    Attack("buffers-of-comms", "24", "likewise, by what a widget keeps", between(COMM_BUFFERS), soak=True),
    Attack("talks-without-end", "24", "the grader's time, by replies to nothing", between(ENDLESS_TALK),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, "limit czasu", soak=True),
    Attack("floods-the-log", "12", "the grader's disk, by the kernel's log", late(LOG), soak=True),
    Attack("sleeps", "12", "the grader's time", between(SLEEP), TASK_2_POINTS | {"task2_case_2_tests": 0}, "limit czasu",
           soak=True),
    Attack("spins-deaf", "12", "likewise, deaf to interrupts", between(DEAF),
           TASK_2_POINTS | {"task2_case_2_tests": 0}, "limit czasu", soak=True),
    Attack("sleeps-in-the-probe", "12", "likewise, while it is asked", function(DEAF_PROBE), says="limit czasu", soak=True),
    Attack("endless-histories", "12", "a list that never ends", late(ENDLESS), soak=True),
    Attack("a-huge-answer", "12, 13", "an array that no disk holds", function(HUGE_ANSWER), soak=True),
)  # fmt: skip
