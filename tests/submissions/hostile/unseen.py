"""Row 23: memory that no process's size shows. Each attack must be told that it passed the limit on memory."""

from tests.submissions.hostile.attack import TASK_2_POINTS, Attack, between

DEAD_FIRST_THREAD = """
import ctypes
def hold():
    time.sleep(1)
    held = np.ones(1 << 26)
    time.sleep(10**6)
for _ in range(4):
    if os.fork() == 0:
        threading.Thread(target=hold).start()
        ctypes.CDLL(None).syscall(60, 0)  # exit, of this thread alone
time.sleep(10**6)
"""
SOCKETS = """
import socket
def fill():
    kept = []
    while True:
        try:
            kept.append(socket.socketpair())
        except OSError:
            time.sleep(10**6)
        for end in kept[-1]:
            end.setblocking(False)
            try:
                while True: end.send(bytes(1 << 16))
            except BlockingIOError:
                pass
for _ in range(60):
    if os.fork() == 0:
        fill()
time.sleep(10**6)
"""
UNACCEPTED = """
import socket
kept = []
for n in range(1000):
    kept.append(socket.socket(socket.AF_UNIX))
    kept[-1].bind(f"\\0{n}")
    kept[-1].listen(4000)
    for _ in range(4000):
        with socket.socket(socket.AF_UNIX) as gone:
            gone.setblocking(False)
            try:
                gone.connect(f"\\0{n}")
                while True: gone.send(bytes(1 << 16))
            except BlockingIOError:
                pass
"""
WIDE_BUFFERS = """
import socket
kept = []
for _ in range(400):
    listener = socket.create_server(("127.0.0.1", 0))
    one = socket.create_connection(listener.getsockname())
    kept += [listener, one, listener.accept()[0]]
    one.setblocking(False)
    try:
        while True: one.send(bytes(1 << 20))
    except BlockingIOError:
        pass
time.sleep(10**6)
"""
PAGE_TABLES = """
import mmap
pages = mmap.mmap(-1, 4 << 30, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
try:
    pages.madvise(15)  # no huge pages, where the kernel has any
except OSError:
    pass
pages[0] = 1  # a fork copies the tables of what was written to
pages[::1 << 21]  # one page of each table is enough
try:
    while os.fork(): pass
except OSError:
    pass
time.sleep(10**6)
"""
PIPES = """
def fill():
    for _ in range(1000):
        try:
            end, start = os.pipe()
            os.set_blocking(start, False)
            while os.write(start, bytes(4096)): pass
        except BlockingIOError:
            os.close(start)
        except OSError:
            break
    time.sleep(10**6)
try:
    while os.fork(): pass
except OSError:
    time.sleep(10**6)
fill()
"""
LOCKS = """
import fcntl
with open("/tmp/locked", "wb") as file:
    for place in range(2 * 10**9, 0, -2):
        fcntl.lockf(file, fcntl.LOCK_EX, 1, place)
"""
AREAS = """
import ctypes, mmap
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
place = libc.mmap(None, 60_000 * 4096, 3, 0x22, -1, 0)
for n in range(0, 60_000, 2):
    libc.mprotect(place + n * 4096, 4096, 0)
try:
    while os.fork(): pass
except OSError:
    pass
time.sleep(10**6)
"""
LET_GO = """
import ctypes, mmap
libc = ctypes.CDLL(None)
def take(flags, fd):
    try:
        held = mmap.mmap(fd, 1 << 28, flags)
    except OSError as error:
        return print(error)
    held.write(bytes(1 << 28))
    held.madvise(mmap.MADV_DONTNEED)
    return held
kept = [take(mmap.MAP_SHARED, os.open("/dev/zero", os.O_RDWR)) for _ in range(24)]
kept += [take(mmap.MAP_SHARED | mmap.MAP_ANONYMOUS, -1) for _ in range(24)]
time.sleep(0 if set(kept) == {None} else 10**6)
"""

STOPPED = TASK_2_POINTS | {"task2_case_2_tests": 0}
FOUND = {
    "dead-first-thread": DEAD_FIRST_THREAD,
    "fills-sockets": SOCKETS,
    "never-accepts": UNACCEPTED,
    "fills-wide-sockets": WIDE_BUFFERS,
    "fills-page-tables": PAGE_TABLES,
    "fills-pipes": PIPES,
    "locks-every-byte": LOCKS,
    "maps-areas": AREAS,
}
"""What the watchdog counts, by the attack's name."""

QUICK = ("dead-first-thread", "fills-sockets")
ATTACKS = (
    *(Attack(name, "23", "memory beyond its limit", between(code), STOPPED, "pamięci", soak=name not in QUICK)
      for name, code in FOUND.items()),
    Attack("lets-go-of-shared-memory", "23", "pages that belong to nobody", between(LET_GO), soak=True),
)  # fmt: skip
