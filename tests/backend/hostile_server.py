"""A real HTTP server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Answer = Callable[[socket.socket], None]


@dataclass
class HostileServer:
    """``requests``: the head of each, as it came. ``answers``: path -> what to do with the connection."""

    port: int = 0
    requests: list[str] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)

    def says(self, path: str, *lines: str, status: str = "200 OK", body: bytes = b"") -> None:
        """Answer with this status, these header lines and this body, then close."""
        head = "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")
        self.does(path, lambda connection: connection.sendall(head + body))

    def redirects(self, path: str, to: str, status: str = "302 Found") -> None:
        self.says(path, f"Location: {to}", "Content-Length: 0", status=status)

    def does(self, path: str, answer: Answer) -> None:
        self.answers[path] = answer

    def handle(self, connection: socket.socket, tls: ssl.SSLContext | None) -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            stack.enter_context(connection)
            connection.settimeout(20)
            if tls is not None:
                connection = stack.enter_context(tls.wrap_socket(connection, server_side=True))
            head = b""
            while b"\r\n\r\n" not in head:
                if not (chunk := connection.recv(4096)):
                    return
                head += chunk
            self.requests.append(head.decode("latin-1"))
            self.answers[self.requests[-1].split(" ")[1]](connection)


@contextlib.contextmanager
def serving(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """Serve until the block ends; every connection in its own thread."""
    with socket.create_server((host, port)) as listener:
        server = HostileServer(port=listener.getsockname()[1])

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=server.handle, args=(connection, tls), daemon=True).start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)
