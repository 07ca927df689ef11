"""Relays messages from a kernel's sockets to the grader's and drops those over a size limit.

libzmq reads all parts of a message before anybody can check one, and its limits count bytes of one part, or messages: a
message of many parts fills the memory of whoever connects. So what comes from a kernel is read here first, frame by frame
as ZMTP 3.0 has them (https://rfc.zeromq.org/spec/23/), and at no time more of it than one message.
"""

import asyncio
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Self

MAX_MESSAGE = 8 * 2**20
"""Bytes of one message, all its parts and their headers together."""
MAX_PARTS = 32
"""Parts of one message; Jupyter's own have seven, and one more for each buffer."""
MAX_COMMAND = 4096
"""Bytes of one command between sockets, such as their types."""
CHUNK = 2**18
GREETING = 64
GREETED_WITH = {0: 0xFF, 9: 0x7F, 10: 3}
"""Bytes of a greeting by place: a signature, and the version. With older versions libzmq would read frames otherwise."""
MORE, LONG, COMMAND = 1, 2, 4

CLOSING_ROUNDS = 6
"""Of the event loop, in which a connection that it has just accepted gets its transport, is announced, aborted and closed."""


class NotZMTPError(ValueError):
    """The bytes are not ZMTP 3, so nothing after them can be parsed."""


class MessageFilter:
    """Parses one connection's stream and passes on only messages within the limits."""

    def __init__(self) -> None:
        self.left_out = 0
        """Number of messages dropped: too long, or with too many parts."""
        self._greeting = bytearray()
        self._unread = bytearray()
        self._message = bytearray()
        self._parts = 0
        self._too_long = False
        self._skip = 0

    def passed(self, chunk: bytes) -> bytes:
        """Read the next bytes and return those that may be passed on; raises `NotZMTPError`."""
        greeting = chunk[: GREETING - len(self._greeting)]
        self._greeting += greeting
        if any(place < len(self._greeting) and self._greeting[place] != byte for place, byte in GREETED_WITH.items()):
            raise NotZMTPError("not a greeting of ZMTP 3")
        rest = memoryview(chunk)[len(greeting) :]
        if not self._unread:  # of what is left out, nothing need be copied
            skipped = min(self._skip, len(rest))
            self._skip -= skipped
            rest = rest[skipped:]
        self._unread += rest
        return greeting + self._frames()

    def _frames(self) -> bytes:
        """Read all frames that are complete; of one that is left out, as much as came."""
        passed = bytearray()
        at = 0
        while True:
            skipped = min(self._skip, len(self._unread) - at)
            self._skip -= skipped
            at += skipped
            head = _head(self._unread, at)
            if self._skip or head is None:
                break
            flags, start, end = head
            if flags & COMMAND or not self._must_skip(flags, end - at):
                if end > len(self._unread):
                    break
                passed += self._read(flags, self._unread[at:end])
                at = end
            else:
                self._skip, at = end - start, start
        del self._unread[:at]
        return bytes(passed)

    def _must_skip(self, flags: int, size: int) -> bool:
        """Whether a frame belongs to a message that is left out; counts the message with its last one."""
        full = len(self._message) + size > MAX_MESSAGE or self._parts == MAX_PARTS
        if not full and not self._too_long:
            return False
        self._message.clear()
        self._too_long = bool(flags & MORE)
        if not self._too_long:
            self._parts = 0
            self.left_out += 1
        return True

    def _read(self, flags: int, frame: bytearray) -> bytes:
        """Read one frame and return what is complete with it: a command, a message, or nothing yet."""
        if flags & COMMAND:
            return bytes(frame)
        self._message += frame
        self._parts += 1
        if flags & MORE:
            return b""
        whole = bytes(self._message)
        self._message.clear()
        self._parts = 0
        return whole


def _head(unread: bytearray, at: int) -> tuple[int, int, int] | None:
    """Read where a frame's content starts and ends; None where its head is not all there."""
    if at >= len(unread):
        return None
    flags = unread[at]
    if flags & ~(MORE | LONG | COMMAND) or (flags & COMMAND and flags & MORE):
        raise NotZMTPError("not a frame")
    start = at + (9 if flags & LONG else 2)
    if start > len(unread):
        return None
    size = int.from_bytes(unread[at + 1 : start], "big")
    if flags & COMMAND and size > MAX_COMMAND:
        raise NotZMTPError("not a command")
    return flags, start, start + size


class Relay:
    """Listens for the grader's clients and connects each to the kernel's socket."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._serving: set[asyncio.Task[None]] = set()
        self._streams: list[MessageFilter] = []
        self._paths: list[Path] = []
        self._closed = False

    @property
    def left_out(self) -> int:
        """Messages that were not passed on so far."""
        return sum(stream.left_out for stream in self._streams)

    @classmethod
    async def open(cls, behind: Mapping[Path, Path]) -> Self:
        """Listen at each path for the kernel's socket that it maps to, which need not be there yet."""
        relay = cls()
        for path, socket in behind.items():
            path.unlink(missing_ok=True)
            relay._paths.append(path)
            relay._servers.append(await asyncio.start_unix_server(relay._serving_for(socket), path))
        return relay

    async def close(self) -> None:
        """End all connections, and listen no more."""
        self._closed = True
        # A server that is closed loses what it has just accepted (asyncio cannot make its transport any more), socket and all.
        for listening in (listening for server in self._servers for listening in server.sockets):
            asyncio.get_running_loop().remove_reader(listening.fileno())
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        for _ in range(CLOSING_ROUNDS):
            await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        for path in self._paths:
            path.unlink(missing_ok=True)

    def _serving_for(self, socket: Path) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self._closed:  # accepted before `close`, but handled only now
                writer.transport.abort()
                return
            task = asyncio.create_task(self._serve(socket, reader, writer))
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
            task.add_done_callback(lambda _: writer.transport.abort())  # one that is cancelled may never have begun

        return accept

    async def _serve(self, socket: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on in both ways until one of them ends; a client of libzmq's then connects anew."""
        stream = MessageFilter()
        self._streams.append(stream)
        writers = [writer]
        try:
            kernel, to_kernel = await _connected(socket)
            writers.append(to_kernel)
            ways = {
                asyncio.create_task(_passed_on(kernel, writer, stream.passed)),
                asyncio.create_task(_passed_on(reader, to_kernel, bytes)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:  # the kernel does not listen yet, or no more
            pass
        finally:
            for each in writers:
                each.transport.abort()


async def _connected(socket: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a socket in a folder that the kernel may write to: a link in its place is not followed."""
    handle = os.open(socket, os.O_PATH | os.O_NOFOLLOW)
    try:
        if not stat.S_ISSOCK(os.fstat(handle).st_mode):
            raise ConnectionRefusedError(socket)
        return await asyncio.open_unix_connection(f"/proc/self/fd/{handle}")
    finally:
        os.close(handle)


async def _passed_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passed: Callable[[bytes], bytes]
) -> None:
    with suppress(OSError, NotZMTPError):
        while chunk := await reader.read(CHUNK):
            writer.write(passed(chunk))
            await writer.drain()
