"""How far away an endpoint is, judged by its host name or address alone: no DNS lookups, since results can change."""

import re
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

_PRIVATE_NETWORKS = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/32", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),  # this host; RFC 1918
            *("100.64.0.0/10", "169.254.0.0/16"),  # RFC 6598 (carriers' and overlay networks), link-local
            *("::/128", "fc00::/7", "fe80::/10"),  # RFC 4193, link-local
        ),
    )
)
_PRIVATE_SUFFIXES = (".local", ".localhost", ".localdomain", ".internal", ".lan", ".home.arpa")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


class Reach(Enum):
    """Where a host is."""

    LOOPBACK = "loopback"
    """This machine: `localhost` or a literal loopback address."""
    PRIVATE = "private"
    """The user's own network: an address that no public host has, or a name that exists only on such a network."""
    PUBLIC = "public"


def reach_of(base_url: str) -> Reach:
    """How far a URL's host is."""
    host = (urlsplit(base_url).hostname or "").rstrip(".")
    try:
        return _reach_of_address(ip_address(host))
    except ValueError:
        return _reach_of_name(host)


def _reach_of_address(address: IPv4Address | IPv6Address) -> Reach:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return Reach.LOOPBACK
    return Reach.PRIVATE if any(address in network for network in _PRIVATE_NETWORKS) else Reach.PUBLIC


def _reach_of_name(host: str) -> Reach:
    if host == "localhost":
        return Reach.LOOPBACK
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return Reach.PUBLIC  # an address in another notation (`134744072` is 8.8.8.8), which is not parsed here
    return Reach.PRIVATE if "." not in host or host.endswith(_PRIVATE_SUFFIXES) else Reach.PUBLIC
