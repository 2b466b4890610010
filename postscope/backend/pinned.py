"""A network that leads to vetted addresses only, within a deadline.

httpcore asks a "network backend" for each connection; this one ignores the host name it is given and
connects to the addresses that were checked, so a name that resolves differently a moment later changes
nothing. TLS still speaks to the name (SNI and certificate). Every read, write and handshake gets what is
left until the deadline, so a server that sends a byte now and then does not hold a worker for longer.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Sequence

import httpcore


class Deadline:
    """A moment that everything must be done by.

    Args:
        seconds: from now.
    """

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self, at_most: float) -> float:
        """Seconds left, no more than ``at_most``.

        Raises:
            httpcore.ReadTimeout: none are left.
        """
        left = self._at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return min(left, at_most)


class _TimedStream(httpcore.NetworkStream):
    """A connection whose every step ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._left(timeout))
        return _TimedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)

    def _left(self, timeout: float | None) -> float:
        return self._deadline.left(float("inf") if timeout is None else timeout)


class PinnedNetwork(httpcore.NetworkBackend):
    """Connects to the given addresses, in their order until one answers, whatever host is asked for.

    Args:
        addresses: IP addresses as text, already checked.
        deadline: for the connection and all that is done over it.
    """

    def __init__(self, addresses: Sequence[str], deadline: Deadline) -> None:
        self._addresses = tuple(addresses)
        self._deadline = deadline
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - not to be used is its point
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection to the first address that answers.

        Raises:
            httpcore.ConnectError: none of them does; httpcore.ConnectTimeout: nor in time.
        """
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            try:
                left = self._deadline.left(float("inf") if timeout is None else timeout)
                stream = self._network.connect_tcp(address, port, left, local_address, socket_options)
                return _TimedStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure
