"""What the two sides of the sandbox say to each other: a JSON header and bytes, over a socket. No pickle.

A message is two lengths of four bytes (big-endian), the header, and the body. The side that serves believes neither
lengths nor values: whoever decodes hostile files may be in the hands of one.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any, Final

MAX_HEADER: Final = 1024 * 1024
MAX_BODY: Final = 64 * 1024 * 1024
ROOM: Final = 1024 * 1024
"""Bytes that may be under way, as far as the system allows: a small picture is then sent without waiting."""
_LENGTHS: Final = struct.Struct(">II")


class WireBroken(Exception):
    """The other side is gone, or what it says makes no sense."""


def send(link: socket.socket, header: dict[str, Any], body: bytes = b"", *, files: Sequence[int] = ()) -> None:
    """Send one message, with open files where there are some.

    Raises:
        WireBroken: the other side is gone.
        TimeoutError: it does not read.
    """
    head = json.dumps(header).encode()
    message = _LENGTHS.pack(len(head), len(body)) + head
    try:
        sent = socket.send_fds(link, [message], list(files)) if files else 0
        link.sendall(message[sent:])
        if body:
            link.sendall(body)
    except TimeoutError:
        raise
    except OSError as error:
        raise WireBroken(f"the other side is gone: {error}") from error


def receive(link: socket.socket, *, max_files: int = 0) -> tuple[dict[str, Any], bytes, list[int]]:
    """The next message: header, body and open files.

    Raises:
        WireBroken: the other side is gone, or what it sends is no message.
        TimeoutError: nothing came within the socket's time.
    """
    try:
        start, files = _start(link, max_files)
        head_size, body_size = _LENGTHS.unpack(start + _exactly(link, _LENGTHS.size - len(start)))
        if head_size > MAX_HEADER or body_size > MAX_BODY:
            raise WireBroken("a message is longer than any may be")
        header = json.loads(_exactly(link, head_size))
        body = _exactly(link, body_size)
    except TimeoutError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise WireBroken(f"what came is no message: {error}") from error
    if not isinstance(header, dict):
        raise WireBroken("a header is no object")
    return header, body, files


def _start(link: socket.socket, max_files: int) -> tuple[bytes, list[int]]:
    if not max_files:
        return b"", []
    start, files, _, _ = socket.recv_fds(link, _LENGTHS.size, max_files)
    if not start:
        raise WireBroken("the other side is gone")
    return start, files


def _exactly(link: socket.socket, size: int) -> bytes:
    pieces = bytearray(size)
    view, at = memoryview(pieces), 0
    while at < size:
        got = link.recv_into(view[at:])
        if not got:
            raise WireBroken("the other side is gone")
        at += got
    return bytes(pieces)
