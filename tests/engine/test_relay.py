"""What passes from a kernel's socket to the grader's: whole messages within limits, byte for byte, and nothing else."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import zmq
import zmq.asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.engine.sandbox.relay import (
    GREETING,
    MAX_COMMAND,
    MAX_MESSAGE,
    MAX_PARTS,
    MessageFilter,
    NotZMTPError,
    Relay,
)

HELLO = b"\xff" + bytes(8) + b"\x7f\x03\x01NULL".ljust(GREETING - 9, b"\0")
READY = b"\x04\x05\x05READ"  # a command, whatever it says


def frame(content: bytes, *, more: bool = False) -> bytes:
    """Return one frame as libzmq writes it."""
    if len(content) > 255:
        return bytes([2 | more]) + len(content).to_bytes(8, "big") + content
    return bytes([more, len(content)]) + content


def message(*parts: bytes) -> bytes:
    """Return one message."""
    return b"".join(frame(part, more=True) for part in parts[:-1]) + frame(parts[-1])


def passed(stream: MessageFilter, content: bytes, size: int = 2**16) -> bytes:
    """Pass `content` in pieces."""
    return b"".join(stream.passed(content[at : at + size]) for at in range(0, len(content), size))


def test_what_fits_passes_unchanged_and_what_does_not_is_left_out_whole() -> None:
    """Too long as one part, as many, as a chain of parts: each is left out, counted, and the next one passes."""
    fits = message(b"a", b"b" * 300, b"") + READY + message(*[b""] * MAX_PARTS) + message(b"x" * (MAX_MESSAGE - 9))
    long = [
        message(b"x" * (MAX_MESSAGE - 8)),
        message(b"x", b"y" * MAX_MESSAGE, b"z"),
        message(*[b"x" * 2**20] * 8),
        message(*[b""] * (MAX_PARTS + 1)),
        message(*[b"y"] * 100_000),
    ]
    stream = MessageFilter()
    assert passed(stream, HELLO + fits + b"".join(long) + message(b"end")) == HELLO + fits + message(b"end")
    assert stream.left_out == len(long)


def test_a_message_without_end_takes_no_memory() -> None:
    """Of parts that never stop, and of a part of an exabyte, nothing is held."""
    stream = MessageFilter()
    stream.passed(HELLO)
    for _ in range(200):
        assert stream.passed(frame(b"x" * 2**17, more=True)) == b""
        assert len(stream._message) + len(stream._unread) <= MAX_MESSAGE
    stream.passed(message(b"end") + b"\x02" + (2**60).to_bytes(8, "big"))
    for _ in range(200):
        assert stream.passed(bytes(2**17)) == b""
        assert len(stream._unread) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.binary(max_size=400), min_size=1, max_size=40), max_size=12), st.integers(1, 700))
def test_pieces_make_no_difference(messages: list[list[bytes]], size: int) -> None:
    """However the stream is cut, the same passes: all messages that have not too many parts."""
    content = HELLO + b"".join(message(*parts) for parts in messages)
    stream = MessageFilter()
    right = [parts for parts in messages if len(parts) <= MAX_PARTS]
    assert passed(stream, content, size) == HELLO + b"".join(message(*parts) for parts in right)
    assert stream.left_out == len(messages) - len(right)


@pytest.mark.parametrize(
    "content",
    [
        b"\x01\x00",
        b"\xff" + bytes(8) + b"\x00",
        HELLO[:10] + b"\x01\x00",
        HELLO + b"\x08\x00",
        HELLO + b"\x05\x00",
        HELLO + b"\xff" * 9,
        HELLO + b"\x06" + (MAX_COMMAND + 1).to_bytes(8, "big"),
    ],
    ids=["unversioned", "signature", "version 2", "flags", "command of parts", "all ones", "long command"],
)
def test_another_protocol_is_not_passed(content: bytes) -> None:
    """Older versions of the protocol, in which libzmq would see other frames than we do, and what is none."""
    stream = MessageFilter()
    with pytest.raises(NotZMTPError):
        stream.passed(content)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000))
def test_no_bytes_do_harm(content: bytes) -> None:
    """Whatever follows a greeting is passed, held or refused in one way."""
    stream = MessageFilter()
    with suppress(NotZMTPError):
        stream.passed(HELLO + content)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Make a folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(dir="/tmp") as made:
        yield Path(made)


def test_libzmq_talks_through_it(folder: Path) -> None:
    """Requests and answers, a publisher that comes later, and after one message too long the next is heard."""

    async def talk() -> tuple[list[list[bytes]], int]:
        context = zmq.asyncio.Context()
        relay = await Relay.open({folder / "line": folder / "kernel"})
        ours, theirs = context.socket(zmq.SUB), context.socket(zmq.PUB)
        try:
            ours.subscribe(b"")
            ours.connect(f"ipc://{folder}/line")
            await asyncio.sleep(0.3)
            theirs.bind(f"ipc://{folder}/kernel")
            while not await ours.poll(50):
                await theirs.send(b"hello")
            await asyncio.sleep(0.3)
            for parts in ([b"x" * 2**20] * 20, [b"a", b"b"]):
                await theirs.send_multipart(parts)
            heard = []
            while await ours.poll(1000):
                heard.append(await ours.recv_multipart())
            return [parts for parts in heard if parts != [b"hello"]], relay.left_out
        finally:
            ours.close(0)
            theirs.close(0)
            await relay.close()
            context.term()

    assert asyncio.run(talk()) == ([[b"a", b"b"]], 1)
    assert not (folder / "line").exists()


@pytest.mark.parametrize("kind", ["link", "file", "pipe", "nothing"])
def test_only_a_socket_is_connected_to(folder: Path, kind: str) -> None:
    """A link in the kernel's socket's place, to a service of the host's say, is not followed."""
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(folder / "service"))
        service.listen()
        service.settimeout(0.3)
        make = {
            "link": lambda path: path.symlink_to("service"),
            "file": lambda path: path.touch(),
            "pipe": os.mkfifo,
            "nothing": lambda _: None,
        }
        make[kind](folder / "kernel")  # type: ignore[no-untyped-call]

        async def knock() -> bytes:
            relay = await Relay.open({folder / "line": folder / "kernel"})
            reader, writer = await asyncio.open_unix_connection(folder / "line")
            writer.write(HELLO)
            try:
                with suppress(ConnectionError):
                    return await asyncio.wait_for(reader.read(), 5)
                return b""
            finally:
                writer.close()
                await relay.close()

        assert asyncio.run(knock()) == b""
        with pytest.raises(TimeoutError):
            service.accept()


@pytest.mark.parametrize("rounds", range(7))
def test_a_connection_that_comes_as_it_closes_is_closed(rounds: int, tmp_path: Path) -> None:
    """However far the event loop has come with a client that has just connected, `close` ends it, not the loop's end."""
    loop = asyncio.new_event_loop()
    relay = loop.run_until_complete(Relay.open({tmp_path / "line": tmp_path / "nobody"}))
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.connect(str(tmp_path / "line"))

        async def close() -> None:
            for _ in range(rounds):
                await asyncio.sleep(0)
            await relay.close()

        loop.run_until_complete(close())
        client.settimeout(2)
        with suppress(ConnectionResetError):
            assert client.recv(1) == b""
    loop.close()
