from __future__ import annotations

import gzip
import hashlib
import ipaddress
import socket
import ssl
import time
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postscope.backend import addresses
from postscope.backend.fetch_errors import FetchError, FetchFailed, FetchTimeout, FetchTooLarge, Refused
from postscope.backend.fetching import Fetcher, FetchLimits
from tests.backend.hostile_server import HostileServer, serving

CERTIFICATE = Path(__file__).with_name("certificate_of_media_test.pem")
CONTEXT = ssl.create_default_context()
PUBLIC = "93.184.216.34"


class Names:
    """A resolver that answers from a table; a list of lists gives its answers one after another."""

    def __init__(self, **table: Sequence[str]) -> None:
        self.table = {name.replace("_", "."): list(found) for name, found in table.items()}
        self.asked: list[str] = []

    def __call__(self, host: str, timeout: float) -> Sequence[str]:
        self.asked.append(host)
        return self.table[host]


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with serving() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def limits(server: HostileServer) -> FetchLimits:
    """Only 127.0.0.1 is allowed of all that is private: the rest of loopback stays forbidden."""
    return FetchLimits(
        max_bytes=100_000,
        total_seconds=5,
        connect_seconds=2,
        read_seconds=2,
        ports=frozenset({server.port}),
        allow_private=frozenset({"127.0.0.1/32"}),
    )


@pytest.fixture
def names() -> Names:
    return Names(media_test=["127.0.0.1"], inside_test=["127.0.0.2"], cloud_test=["169.254.169.254"])


@pytest.fixture
def fetcher(server: HostileServer, names: Names, folder: Path) -> Fetcher:
    return Fetcher(limits(server), resolver=names, folder=folder, tls=CONTEXT)


@pytest.fixture(autouse=True)
def _nothing_left_behind(folder: Path) -> Iterator[None]:
    yield
    assert list(folder.iterdir()) == []


def at(server: HostileServer, path: str, host: str = "media.test") -> str:
    return f"http://{host}:{server.port}{path}"


# --- what works ------------------------------------------------------------------------------------


def test_a_file_arrives_whole_with_its_hash(server: HostileServer, fetcher: Fetcher) -> None:
    body = bytes(range(256)) * 300
    server.says("/a.jpg", f"Content-Length: {len(body)}", "Content-Type: image/jpeg", body=body)
    with fetcher.fetch(at(server, "/a.jpg") + "#part") as fetched:
        assert fetched.path.read_bytes() == body
        assert fetched.sha256 == hashlib.sha256(body).hexdigest()
        assert (fetched.size, fetched.content_type) == (len(body), "image/jpeg")
        assert fetched.final_url == at(server, "/a.jpg")
    assert not fetched.path.exists()


def test_the_request_gives_nothing_away(
    server: HostileServer, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.says("/first", "Location: /second", "Set-Cookie: a=b", "Content-Length: 0", status="302 Found")
    server.says("/second", "Content-Length: 1", body=b"x")
    fetcher.fetch(at(server, "/first")).discard()
    lines = [line.partition(":")[0].lower() for line in server.requests[1].strip().split("\r\n")[1:]]
    assert sorted(lines) == ["accept", "accept-encoding", "connection", "host", "user-agent"]
    assert f"Host: media.test:{server.port}\r\n" in server.requests[1]
    assert "Accept-Encoding: identity\r\n" in server.requests[1]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(server: HostileServer, fetcher: Fetcher, status: int) -> None:
    server.redirects("/old", "new?a=1", status=f"{status} Moved")
    server.says("/new?a=1", "Content-Length: 2", body=b"ok")
    with fetcher.fetch(at(server, "/old")) as fetched:
        assert fetched.final_url == at(server, "/new?a=1")
        assert fetched.path.read_bytes() == b"ok"


def test_chunked_and_unannounced_bodies(server: HostileServer, fetcher: Fetcher) -> None:
    server.says("/chunked", "Transfer-Encoding: chunked", body=b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    server.says("/until-closed", body=b"abcde")
    for path in ("/chunked", "/until-closed"):
        with fetcher.fetch(at(server, path)) as fetched:
            assert fetched.path.read_bytes() == b"abcde"


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_packed_although_asked_for_plain(server: HostileServer, fetcher: Fetcher, encoding: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress}[encoding](b"abc" * 20_000)
    server.says("/", f"Content-Encoding: {encoding}", f"Content-Length: {len(packed)}", body=packed)
    with fetcher.fetch(at(server, "/")) as fetched:
        assert fetched.path.read_bytes() == b"abc" * 20_000


def test_punycode(server: HostileServer, names: Names, fetcher: Fetcher) -> None:
    names.table["xn--bcher-kva.test"] = ["127.0.0.1"]
    server.says("/", "Content-Length: 1", body=b"x")
    fetcher.fetch(at(server, "/", "bücher.test")).discard()
    assert names.asked == ["xn--bcher-kva.test"]
    assert "Host: xn--bcher-kva.test:" in server.requests[0]


def test_trailing_dot(server: HostileServer, names: Names, fetcher: Fetcher) -> None:
    server.says("/", "Content-Length: 1", body=b"x")
    fetcher.fetch(at(server, "/", "media.test.")).discard()
    assert names.asked == ["media.test"]


# --- TLS: pinned to the address, verified for the name -----------------------------------------------


@pytest.fixture
def tls_server() -> Iterator[HostileServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with serving(tls=context) as running:
        running.says("/", "Content-Length: 1", body=b"x")
        yield running


def trusting() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


def test_the_certificate_is_checked_for_the_name(tls_server: HostileServer, names: Names, folder: Path) -> None:
    names.table["other.test"] = ["127.0.0.1"]
    fetcher = Fetcher(limits(tls_server), resolver=names, folder=folder, tls=trusting())
    fetcher.fetch(f"https://media.test:{tls_server.port}/").discard()
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(f"https://other.test:{tls_server.port}/")
    assert (caught.value.code, caught.value.retryable) == ("fetch_tls", False)


def test_an_unknown_certificate_is_not_trusted(tls_server: HostileServer, names: Names, folder: Path) -> None:
    fetcher = Fetcher(limits(tls_server), resolver=names, folder=folder)
    with pytest.raises(FetchFailed, match="certificate"):
        fetcher.fetch(f"https://media.test:{tls_server.port}/")
    assert tls_server.requests == []


# --- SSRF, one by one ------------------------------------------------------------------------------


def refused(fetcher: Fetcher, url: str, code: str) -> None:
    with pytest.raises(Refused) as caught:
        fetcher.fetch(url)
    assert caught.value.code == code
    assert not caught.value.retryable


def test_redirect_to_loopback(server: HostileServer, fetcher: Fetcher) -> None:
    with serving("127.0.0.2", server.port) as inside:
        server.redirects("/", f"http://127.0.0.2:{server.port}/secret")
        refused(fetcher, at(server, "/"), "refused_address")
        assert inside.requests == []


def test_redirect_to_a_name_on_loopback(server: HostileServer, fetcher: Fetcher) -> None:
    with serving("127.0.0.2", server.port) as inside:
        server.redirects("/", at(inside, "/secret", "inside.test"))
        refused(fetcher, at(server, "/"), "refused_address")
        assert inside.requests == []


def test_redirect_to_the_metadata_service(server: HostileServer, fetcher: Fetcher) -> None:
    server.redirects("/", f"//169.254.169.254:{server.port}/latest/meta-data/")
    refused(fetcher, at(server, "/"), "refused_address")


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://127.0.0.1:6379/_INFO", "ftp://media.test/"])
def test_redirect_to_another_scheme(server: HostileServer, fetcher: Fetcher, target: str) -> None:
    server.redirects("/", target)
    refused(fetcher, at(server, "/"), "refused_scheme")


def test_redirect_to_another_port(server: HostileServer, fetcher: Fetcher) -> None:
    server.redirects("/", "http://media.test:6379/")
    refused(fetcher, at(server, "/"), "refused_port")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "gopher://media.test/",
        "ftp://media.test/a",
        "data:image/png;base64,AAAA",
        "//media.test",
        "a",
    ],
)
def test_another_scheme(fetcher: Fetcher, url: str) -> None:
    refused(fetcher, url, "refused_scheme")


def test_dns_that_changes_between_check_and_connection(
    server: HostileServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer passes the check; whoever asks again gets loopback. Nobody asks again."""
    answers = [["127.0.0.1"], ["127.0.0.2"], ["127.0.0.2"]]
    server.says("/", "Content-Length: 1", body=b"x")
    real = socket.getaddrinfo

    def only_literals(host: str, *rest: object, **more: object) -> object:
        ipaddress.ip_address(host)  # a name here would be a second resolution
        return real(host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", only_literals)
    with serving("127.0.0.2", server.port) as inside:
        fetcher = Fetcher(limits(server), resolver=lambda host, timeout: answers.pop(0), folder=folder)
        fetcher.fetch(at(server, "/", "rebind.test")).discard()
        assert (len(server.requests), len(inside.requests), len(answers)) == (1, 0, 2)
        refused(fetcher, at(server, "/", "rebind.test"), "refused_address")
        assert inside.requests == []


def test_one_bad_address_among_good_ones(server: HostileServer, folder: Path) -> None:
    fetcher = Fetcher(limits(server), resolver=lambda host, timeout: ["127.0.0.1", PUBLIC, "10.0.0.1"], folder=folder)
    refused(fetcher, at(server, "/"), "refused_address")
    assert server.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "2130706434",  # decimal
        "0x7f000002",  # hex
        "0x7f.0.0.2",
        "017700000002",  # octal
        "127.2",  # short
        "0.0.0.0",
        "127.0.0.2",
        "127.0.0.2.",
        "127。0。0。2",  # ideographic full stops
        "[::]",
        "[::1]",
        "[::ffff:127.0.0.2]",  # IPv6-mapped
        "[::ffff:7f00:2]",
        "[::127.0.0.2]",  # IPv4-compatible, deprecated
        "[64:ff9b::127.0.0.2]",  # NAT64
        "[64:ff9b:1::127.0.0.2]",  # NAT64, local use
        "[2002:7f00:2::]",  # 6to4
        "[2001:0:7f00:2::1]",  # Teredo
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",  # AWS's metadata over IPv6
        "[ff02::1]",
        "[2001:db8::1]",
        "10.1.2.3",
        "172.31.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "inside.test",
        "cloud.test",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(server: HostileServer, fetcher: Fetcher, host: str) -> None:
    refused(fetcher, at(server, "/", host), "refused_address")


@pytest.mark.parametrize("host", ["0177.0.0.2", "１２７.0.0.2", "256.1.1.1", "[::1", "[fe80::1%25eth0", "ⓛocalhost"])
def test_addresses_that_no_url_may_have(server: HostileServer, fetcher: Fetcher, host: str) -> None:
    refused(fetcher, at(server, "/", host), "refused_url")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a..b",
        "-a.test",
        "%31%32%37.media.test",
        "a b.test",
        "evil.test\\.media.test",
        "a" * 64,
        "a." * 130 + "b",
    ],
)
def test_names_that_are_none(server: HostileServer, fetcher: Fetcher, host: str) -> None:
    refused(fetcher, at(server, "/", host), "refused_url")


def test_an_address_with_a_zone(server: HostileServer, fetcher: Fetcher) -> None:
    refused(fetcher, at(server, "/", "[fe80::1%25eth0]"), "refused_address")


@pytest.mark.parametrize("host", ["localhost", "localhost."])
def test_localhost_by_the_systems_own_resolver(server: HostileServer, folder: Path, host: str) -> None:
    fetcher = Fetcher(replace(limits(server), allow_private=frozenset()), folder=folder)
    refused(fetcher, at(server, "/", host), "refused_address")
    assert server.requests == []


@pytest.mark.parametrize("userinfo", ["user@", "user:word@", "media.test@", "media.test%2f@", "media.test\\@"])
def test_userinfo(server: HostileServer, fetcher: Fetcher, userinfo: str) -> None:
    refused(fetcher, at(server, "/", userinfo + "media.test"), "refused_userinfo")


@pytest.mark.parametrize("port", ["22", "6379", "0", "65536", "-1"])
def test_ports(fetcher: Fetcher, port: str) -> None:
    refused(fetcher, f"http://media.test:{port}/", "refused_port")


def test_line_breaks_in_a_url(server: HostileServer, fetcher: Fetcher) -> None:
    refused(fetcher, at(server, "/a HTTP/1.1\r\nX-Evil: 1\r\n"), "refused_url")
    assert server.requests == []


def test_refusals_do_not_tell_where_a_name_leads(server: HostileServer, fetcher: Fetcher) -> None:
    with pytest.raises(Refused) as caught:
        fetcher.fetch(at(server, "/", "inside.test"))
    assert "127.0.0" not in str(caught.value)


# --- too much, too slow, too often -------------------------------------------------------------------


def too_large(fetcher: Fetcher, url: str) -> None:
    with pytest.raises(FetchTooLarge, match="100,000 bytes") as caught:
        fetcher.fetch(url)
    assert not caught.value.retryable


def test_content_length_beyond_the_limit(server: HostileServer, fetcher: Fetcher) -> None:
    server.says("/", "Content-Length: 100001", body=b"x")
    too_large(fetcher, at(server, "/"))


def test_exactly_the_limit(server: HostileServer, fetcher: Fetcher) -> None:
    server.says("/", body=bytes(100_000))
    fetcher.fetch(at(server, "/")).discard()
    server.says("/", body=bytes(100_001))
    too_large(fetcher, at(server, "/"))


def test_content_length_that_lies(server: HostileServer, fetcher: Fetcher) -> None:
    server.says("/less", "Content-Length: 10", body=bytes(100_000))
    with fetcher.fetch(at(server, "/less")) as fetched:
        assert fetched.size == 10
    server.says("/more", "Content-Length: 1000", body=bytes(10))
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(at(server, "/more"))
    assert (caught.value.code, caught.value.retryable) == ("fetch_protocol", True)


def test_endless_body(server: HostileServer, fetcher: Fetcher) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.sendall(b"1000\r\n" + bytes(0x1000) + b"\r\n")

    server.does("/", endless)
    too_large(fetcher, at(server, "/"))


def test_endless_headers(server: HostileServer, fetcher: Fetcher) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"X-Padding: " + b"x" * 4_000 + b"\r\n")

    server.does("/", endless)
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(at(server, "/"))
    assert caught.value.code == "fetch_protocol"


def test_gzip_bomb(server: HostileServer, fetcher: Fetcher) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert len(bomb) < 100_000
    server.says("/", "Content-Encoding: gzip", f"Content-Length: {len(bomb)}", body=bomb)
    too_large(fetcher, at(server, "/"))


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("br", b"x"), ("gzip, gzip", b"x"), ("gzip", b"no gzip"), ("gzip", gzip.compress(b"abc")[:-6])],
)
def test_packed_wrongly(server: HostileServer, fetcher: Fetcher, encoding: str, body: bytes) -> None:
    server.says("/", f"Content-Encoding: {encoding}", body=body)
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(at(server, "/"))
    assert caught.value.code == "fetch_encoding"


def drips(head: bytes) -> object:
    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for _ in range(400):
            time.sleep(0.05)
            connection.sendall(b"x")

    return answer


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"]
)
def test_slow_drip_ends_at_the_deadline(server: HostileServer, names: Names, folder: Path, head: bytes) -> None:
    server.does("/", drips(head))
    fetcher = Fetcher(replace(limits(server), total_seconds=0.4), resolver=names, folder=folder)
    with pytest.raises(FetchTimeout) as caught:
        fetcher.fetch(at(server, "/"))
    assert caught.value.retryable


def test_slow_drip_ends_before_the_deadline(server: HostileServer, names: Names, folder: Path) -> None:
    server.does("/", drips(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
    fetcher = Fetcher(replace(limits(server), grace_seconds=0.2), resolver=names, folder=folder)
    with pytest.raises(FetchTimeout, match="1,024 bytes a second"):
        fetcher.fetch(at(server, "/"))


def test_silence(server: HostileServer, names: Names, folder: Path) -> None:
    server.does("/", lambda connection: connection.recv(1) and None)
    fetcher = Fetcher(replace(limits(server), read_seconds=0.2), resolver=names, folder=folder)
    with pytest.raises(FetchTimeout):
        fetcher.fetch(at(server, "/"))


def test_a_tls_handshake_that_never_ends(server: HostileServer, names: Names, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, by the backlog, and says nothing
        port = silent.getsockname()[1]
        own = replace(limits(server), ports=frozenset({port}), connect_seconds=0.3)
        with pytest.raises(FetchTimeout):
            Fetcher(own, resolver=names, folder=folder).fetch(f"https://media.test:{port}/")


def test_redirect_loop(server: HostileServer, fetcher: Fetcher) -> None:
    server.redirects("/a", "/b")
    server.redirects("/b", "/a")
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(at(server, "/a"))
    assert (caught.value.code, caught.value.retryable) == ("fetch_redirects", False)
    assert len(server.requests) == 6


def test_redirect_to_nowhere(server: HostileServer, fetcher: Fetcher) -> None:
    server.says("/", "Content-Length: 0", status="302 Found")
    with pytest.raises(FetchFailed, match="nowhere"):
        fetcher.fetch(at(server, "/"))


@pytest.mark.parametrize("location", ["http://[::", "http://media.test:port/", "http://\u0085/"])
def test_redirect_to_nonsense(server: HostileServer, fetcher: Fetcher, location: str) -> None:
    server.redirects("/", location)
    refused(fetcher, at(server, "/"), "refused_url")


# --- the other side fails ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(code, False) for code in (204, 304, 400, 403, 404, 410)]
    + [(code, True) for code in (408, 425, 429, 500, 502, 503)],
)
def test_statuses(server: HostileServer, fetcher: Fetcher, status: int, retryable: bool) -> None:
    server.says("/", "Content-Length: 0", status=f"{status} Whatever")
    with pytest.raises(FetchFailed, match=str(status)) as caught:
        fetcher.fetch(at(server, "/"))
    assert (caught.value.status, caught.value.retryable) == (status, retryable)


def test_nothing_listens(server: HostileServer, names: Names, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    own = replace(limits(server), ports=frozenset({port}))
    with pytest.raises(FetchFailed) as caught:
        Fetcher(own, resolver=names, folder=folder).fetch(f"http://media.test:{port}/")
    assert (caught.value.code, caught.value.retryable) == ("fetch_connect", True)


def test_the_next_address_when_the_first_does_not_answer(server: HostileServer, folder: Path) -> None:
    server.says("/", "Content-Length: 1", body=b"x")
    own = replace(limits(server), allow_private=frozenset({"127.0.0.0/8"}))
    Fetcher(own, resolver=lambda host, timeout: ["127.0.0.3", "127.0.0.1"], folder=folder).fetch(
        at(server, "/")
    ).discard()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200", b"\x00" * 2_000])
def test_no_http(server: HostileServer, fetcher: Fetcher, answer: bytes) -> None:
    server.does("/", lambda connection: connection.sendall(answer))
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(at(server, "/"))
    assert caught.value.code == "fetch_protocol"


def test_a_name_without_addresses(server: HostileServer, folder: Path) -> None:
    fetcher = Fetcher(limits(server), resolver=lambda host, timeout: [], folder=folder)
    with pytest.raises(FetchFailed) as caught:
        fetcher.fetch(at(server, "/"))
    assert caught.value.code == "fetch_dns"


def test_an_unknown_name_by_the_systems_own_resolver(server: HostileServer, folder: Path) -> None:
    with pytest.raises((FetchFailed, FetchTimeout)) as caught:  # offline machines may time out
        Fetcher(limits(server), folder=folder).fetch(at(server, "/", "no-such-host.invalid"))
    assert caught.value.code in ("fetch_dns", "fetch_timeout")


def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: time.sleep(1) or [])
    resolver = addresses.SystemResolver(most_at_once=1)
    with pytest.raises(FetchTimeout, match="not resolved"):
        resolver("slow.test", 0.05)
    with pytest.raises(FetchTimeout, match="no turn"):
        resolver("slow.test", 0.05)


def test_a_network_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/99"):
        Fetcher(FetchLimits(allow_private=frozenset({"10.0.0.0/99"})))


# --- properties ------------------------------------------------------------------------------------


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_public_only_if_it_is(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    nat64 = ipaddress.IPv6Address(f"64:ff9b::{address}")
    assert addresses.is_public(mapped) == addresses.is_public(nat64) == addresses.is_public(address)
    assert not addresses.is_public(ipaddress.IPv6Address(f"::{address}"))


@given(st.ip_addresses())
def test_nothing_private_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    if addresses.is_public(address):
        inside = (address.is_loopback, address.is_link_local, address.is_multicast, address.is_unspecified)
        assert not any(inside)
        assert address.is_global or address.version == 6  # NAT64's prefix counts as reserved there


@given(st.text(max_size=60), st.sampled_from(["http://", "https://", "http://media.test:", ""]))
def test_any_url_is_refused_or_fails_with_a_reason(text: str, start: str) -> None:
    def nowhere(host: str, timeout: float) -> Sequence[str]:
        raise FetchFailed(f"{host} cannot be resolved", what="dns")

    with pytest.raises(FetchError) as caught:
        Fetcher(FetchLimits(total_seconds=1), resolver=nowhere, tls=CONTEXT).fetch(start + text)
    assert caught.value.reason
