"""Which hosts and addresses may be fetched from: the public internet, and networks that the operator names.

``ipaddress.is_global`` is not enough: in some of the Pythons supported here it lets through multicast, 6to4
(which carries any IPv4 address inside), documentation and reserved ranges. The lists below are those of the
IANA registries (https://www.iana.org/assignments/iana-ipv4-special-registry and
https://www.iana.org/assignments/iana-ipv6-special-registry); of IPv6 only 2000::/3 is given out for global
unicast.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from postscope.backend.fetch_errors import FetchFailed, FetchTimeout, Refused

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

Resolver: TypeAlias = Callable[[str, float], Sequence[str]]
"""Host name and seconds allowed -> its addresses as text; raises ``FetchFailed`` or ``FetchTimeout``."""

_NOT_PUBLIC_V4: Final = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this network"; Linux takes 0.0.0.0 for loopback
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also Alibaba Cloud's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent: a public address that only virtual machines see
        "169.254.0.0/16",  # link-local; also the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocol assignments; also Oracle Cloud's metadata
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_V6: Final = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_V6: Final = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # protocol assignments, among them Teredo, which carries IPv4 inside
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries IPv4 inside
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse CIDR notation.

    Raises:
        ValueError: one is no network; the message names it.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_public(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether it belongs to the public internet or to one of the ``allowed`` networks.

    IPv4 addresses inside IPv6 ones (mapped, and NAT64's well-known prefix) are judged as the IPv4 they reach.
    """
    real = _reached(address)
    if any(real in network for network in allowed if network.version == real.version):
        return True
    if isinstance(real, ipaddress.IPv4Address):
        return not any(real in network for network in _NOT_PUBLIC_V4)
    return real in _PUBLIC_V6 and not any(real in network for network in _NOT_PUBLIC_V6)


def vetted_addresses(host: str, resolver: Resolver, timeout: float, allowed: Sequence[Network] = ()) -> tuple[str, ...]:
    """The addresses of a host, each one checked; connect to these and to nothing else.

    Args:
        host: in ASCII, lower case, without brackets, as a URL parser gives it.
        resolver: asked once, unless the host is an address already.
        timeout: seconds.
        allowed: networks beside the public internet.

    Raises:
        Refused: the host is malformed, or one of its addresses is not public (not even one may be).
        FetchFailed: it has no address.
        FetchTimeout: the resolver took too long.
    """
    literal = _literal(host)
    found = [literal] if literal else [ipaddress.ip_address(text) for text in resolver(_name(host), timeout)]
    if not found:
        raise FetchFailed(f"{host} has no address", what="dns")
    if not all(is_public(address, allowed) for address in found):
        raise Refused(f"{host} is not on the public internet", what="address")
    return tuple(dict.fromkeys(str(address) for address in found))


class SystemResolver:
    """The operating system's resolver, given up after a time (it has no time limit of its own).

    A lookup that was given up goes on in its thread until the system ends it, so their number is bounded.
    """

    def __init__(self, most_at_once: int = 64) -> None:
        self._places = threading.BoundedSemaphore(most_at_once)

    def __call__(self, host: str, timeout: float) -> Sequence[str]:
        """All IPv4 and IPv6 addresses of a name."""
        answers: list[list[str] | OSError] = []
        if not self._places.acquire(timeout=timeout):
            raise FetchTimeout(f"too many names are being resolved; {host} had no turn")
        thread = threading.Thread(target=self._look_up, args=(host, answers), name="resolve", daemon=True)
        try:
            thread.start()
        except RuntimeError:
            self._places.release()
            raise
        thread.join(timeout)
        if not answers:
            raise FetchTimeout(f"{host} was not resolved within {timeout:.0f} s")
        if isinstance(answer := answers[0], OSError):
            again = isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN
            raise FetchFailed(f"{host} cannot be resolved", what="dns", retryable=again) from answer
        return answer

    def _look_up(self, host: str, answers: list[list[str] | OSError]) -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.append([str(row[4][0]) for row in rows])
        except OSError as error:
            answers.append(error)
        except UnicodeError as error:
            answers.append(OSError(str(error)))
        finally:
            self._places.release()


def _reached(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name.

    A host whose last label is a number is an IPv4 address to browsers and to ``inet_aton`` (decimal, octal,
    hex, short forms) and a name to others, so only the plain dotted form is taken for either.
    """
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            raise Refused(f"{host} is not a plainly written address", what="address") from None
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id is not None:
        raise Refused("an address with a zone is not on the public internet", what="address")
    return address


def _name(host: str) -> str:
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in host.split(".")):
        raise Refused("the host is no valid name", what="url")
    return host
