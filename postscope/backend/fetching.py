"""Ask a URL that a stranger gave, without becoming their way into the private network.

What is done follows the OWASP Server-Side Request Forgery Prevention Cheat Sheet, and is stricter:

- http and https only, on the usual ports; no user or password in the URL; one parser says what the host is;
- every address of the host is public (``addresses``), and the connection goes to just these (``pinned``);
- redirects are followed by hand, each one as suspicious as the first;
- no proxy of the environment, no cookies, no credentials, no Referer, one connection a request;
- limits on time as a whole and in parts, on speed, on bytes as announced, as sent and as unpacked.

What the file is, its content says, not its name nor its headers.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import httpcore
import httpx

from postscope.backend.addresses import Resolver, SystemResolver, networks, vetted_addresses
from postscope.backend.fetch_errors import FetchFailed, FetchTimeout, FetchTooLarge, Refused
from postscope.backend.pinned import Deadline, PinnedNetwork
from postscope.backend.unpacking import Unpacker, unpacker

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What a download may cost, and where it may go.

    Attributes:
        max_bytes: of the file, announced, sent or unpacked.
        total_seconds: for all of it: names, redirects and body.
        connect_seconds: to get a connection; also to resolve a name.
        read_seconds: without a byte.
        min_bytes_per_second: on average.
        grace_seconds: of a body, before its speed is judged.
        max_redirects: how many are followed.
        ports: that a URL may name or mean.
        allow_private: networks beside the public internet, in CIDR notation.
        user_agent: what to be known as.
    """

    max_bytes: int = 25 * 1024 * 1024
    total_seconds: float = 20.0
    connect_seconds: float = 5.0
    read_seconds: float = 10.0
    min_bytes_per_second: int = 1024
    grace_seconds: float = 5.0
    max_redirects: int = 5
    ports: frozenset[int] = frozenset({80, 443})
    allow_private: frozenset[str] = frozenset()
    user_agent: str = "Postscope"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that was downloaded. It is the caller's: use it as a context manager, or ``discard`` it.

    Attributes:
        path: a temporary file.
        sha256: of its content, in hex.
        size: in bytes.
        final_url: where it came from after redirects, without fragment.
        content_type: what the server called it; a claim.
    """

    path: Path
    sha256: str
    size: int
    final_url: str
    content_type: str | None

    def discard(self) -> None:
        """Remove the file; a missing one is silent."""
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


@dataclass(frozen=True, slots=True)
class _Message:
    method: str
    headers: Mapping[str, str]
    body: bytes | None = None


_ASKING: Final = _Message("GET", {"Accept": "image/*, */*;q=0.5"})


class Fetcher:
    """Fetches URLs within limits. Safe to use from several threads: it keeps nothing between calls.

    Args:
        limits: what a download may cost, and where it may go.
        resolver: how names become addresses.
        folder: where the temporary files go; by default where the system puts them.
        tls: certificates to trust; by default those that browsers trust.

    Raises:
        ValueError: ``limits.allow_private`` names something that is no network.
    """

    def __init__(
        self,
        limits: FetchLimits | None = None,
        *,
        resolver: Resolver | None = None,
        folder: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._limits = limits or FetchLimits()
        self._resolver = resolver or SystemResolver()
        self._folder = folder
        self._tls = tls or httpcore.default_ssl_context()
        self._allowed = networks(self._limits.allow_private)

    def fetch(self, url: str) -> Fetched:
        """Download one file.

        Raises:
            FetchError: one of its kinds; nothing is left behind.
        """
        deadline = Deadline(self._limits.total_seconds)
        with _translated():
            target = _parsed(url)
            for _ in range(self._limits.max_redirects + 1):
                with self._answer(target, deadline, _ASKING) as answer:
                    if answer.status not in _REDIRECTS:
                        return self._save(answer, target)
                    target = _redirected(target, answer)
        raise FetchFailed(f"more than {self._limits.max_redirects} redirects", what="redirects")

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send a body and say how it was answered. Redirects are not followed: a body is for one address.

        Returns:
            The HTTP status.

        Raises:
            FetchError: it could not be sent, or was not answered in time.
        """
        deadline = Deadline(self._limits.total_seconds)
        sent = {**headers, "Content-Length": str(len(body))}
        with _translated(), self._answer(_parsed(url), deadline, _Message("POST", sent, body)) as answer:
            return answer.status

    def check(self, url: str) -> None:
        """Refuse a URL that would never be asked, whatever its name resolves to.

        Raises:
            Refused: its scheme, user, port or form.
        """
        self._checked(_parsed(url))

    @contextlib.contextmanager
    def _answer(self, url: httpx.URL, deadline: Deadline, message: _Message) -> Iterator[httpcore.Response]:
        """Check the URL, ask for it, and give the answer before its body."""
        host, port = self._checked(url)
        wait = deadline.left(self._limits.connect_seconds)
        pinned = PinnedNetwork(vetted_addresses(host, self._resolver, wait, self._allowed), deadline)
        origin = httpcore.Origin(url.raw_scheme, host.encode(), port)
        with httpcore.HTTPConnection(origin, ssl_context=self._tls, network_backend=pinned) as connection:
            answer = connection.handle_request(self._request(url, host, port, message))
            with contextlib.closing(answer):
                yield answer

    def _checked(self, url: httpx.URL) -> tuple[str, int]:
        if url.scheme not in ("http", "https"):
            raise Refused(f"only http and https are fetched, not {url.scheme or 'nothing'}", what="scheme")
        if url.userinfo:
            raise Refused("a URL with a user or a password is not fetched", what="userinfo")
        port = {"http": 80, "https": 443}[url.scheme] if url.port is None else url.port
        if port not in self._limits.ports:
            raise Refused(f"port {port} is not fetched from", what="port")
        host = url.raw_host.decode("ascii").lower()
        return host.removesuffix("."), port

    def _request(self, url: httpx.URL, host: str, port: int, message: _Message) -> httpcore.Request:
        limits = self._limits
        waits = {"connect": limits.connect_seconds, "read": limits.read_seconds, "write": limits.read_seconds}
        name = f"[{host}]" if ":" in host else host
        headers = [
            ("Host", name if url.port is None else f"{name}:{port}"),
            ("User-Agent", limits.user_agent),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
            *message.headers.items(),
        ]
        return httpcore.Request(
            message.method,
            httpcore.URL(scheme=url.raw_scheme, host=host.encode(), port=port, target=url.raw_path),
            headers=headers,
            content=message.body,
            extensions={"timeout": waits},
        )

    def _save(self, answer: httpcore.Response, url: httpx.URL) -> Fetched:
        if answer.status != 200:
            raise FetchFailed.of_status(answer.status)
        announced = _header(answer, b"content-length")
        if announced is not None and announced.isdecimal() and int(announced) > self._limits.max_bytes:
            raise self._too_large()
        body = unpacker(_header(answer, b"content-encoding"))
        handle, name = tempfile.mkstemp(prefix="fetched-", dir=self._folder)
        path = Path(name)
        try:
            with os.fdopen(handle, "wb") as out:
                sha256, size = self._stream(answer, body, out)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        final = str(url.copy_with(fragment=None))
        return Fetched(path, sha256, size, final, _header(answer, b"content-type"))

    def _stream(self, answer: httpcore.Response, body: Unpacker, out: IO[bytes]) -> tuple[str, int]:
        digest, size, sent, began = hashlib.sha256(), 0, 0, time.monotonic()
        for chunk in answer.iter_stream():
            sent += len(chunk)
            self._check_pace(sent, time.monotonic() - began)
            for piece in body.pieces(chunk):
                size += len(piece)
                if size > self._limits.max_bytes or sent > self._limits.max_bytes:
                    raise self._too_large()
                digest.update(piece)
                out.write(piece)
        body.finish()
        return digest.hexdigest(), size

    def _check_pace(self, sent: int, seconds: float) -> None:
        slowest = self._limits.min_bytes_per_second
        if seconds > self._limits.grace_seconds and sent < slowest * seconds:
            raise FetchTimeout(f"the server sends less than {slowest:,} bytes a second")

    def _too_large(self) -> FetchTooLarge:
        return FetchTooLarge(f"the file has more than the {self._limits.max_bytes:,} bytes allowed")


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:  # ValueError: idna's own errors
        raise Refused(f"no valid URL: {error}", what="url") from error


def _redirected(url: httpx.URL, answer: httpcore.Response) -> httpx.URL:
    location = _header(answer, b"location")
    if location is None:
        raise FetchFailed("the server redirects to nowhere", what="redirects", status=answer.status)
    try:
        return url.join(location)
    except (httpx.InvalidURL, ValueError) as error:
        raise Refused(f"the server redirects to no valid URL: {error}", what="url") from error


def _header(answer: httpcore.Response, name: bytes) -> str | None:
    """The first header of this name; bytes that are no UTF-8 are read as Latin-1, as browsers do."""
    for key, value in answer.headers:
        if key.lower() == name:
            try:
                return value.decode()
            except UnicodeDecodeError:
                return value.decode("latin-1")
    return None


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """httpcore's errors as ours; why there is no connection is not told, for it would map a network."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise FetchTimeout("the server took too long") from error
    except httpcore.ConnectError as error:
        if isinstance(error.__cause__, ssl.SSLError):
            raise FetchFailed(f"no secure connection: {error}", what="tls") from error
        raise FetchFailed("no connection to the server", what="connect", retryable=True) from error
    except httpcore.LocalProtocolError as error:
        raise Refused(f"no valid URL: {error}", what="url") from error
    except (httpcore.ProtocolError, httpcore.NetworkError) as error:
        reason = f"the answer breaks off or is no HTTP: {error}"
        raise FetchFailed(reason, what="protocol", retryable=True) from error
