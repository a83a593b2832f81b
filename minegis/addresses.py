"""Addresses of cameras' streams: which ones this server opens.

A person enters them and the server fetches them, so that they could point it at what only the server reaches. Only
protocols of streams are opened, and, where the installation names its cameras' networks, only hosts within these.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from minegis.errors import MineGISError

SCHEMES = ("rtsp", "rtsps", "rtmp", "rtmps")
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_stream_address(address: str, networks: Sequence[str] = (), *, resolve: bool = False) -> None:
    """Refuse what is not the address of a stream, or of one outside the allowed networks.

    Args:
        address: with user and password if need be; no error repeats it.
        networks: allowed ones, like ``10.20.0.0/16``; none means any host.
        resolve: look the host's name up, all of whose addresses must be allowed. Otherwise names are taken on trust
            for now, and only numbers are compared.

    Raises:
        MineGISError: E-REG-03, no address of a stream; E-REG-06, outside the allowed networks, or, when it was to be
            looked up, a name that nobody knows.
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
        sound = parts.scheme in SCHEMES and bool(host) and parts.port != 0
        sound = sound and not any(character.isspace() or not character.isprintable() for character in address)
    except ValueError:
        sound, host = False, ""
    if not sound:
        raise MineGISError("E-REG-03", value=", ".join(SCHEMES))
    if not networks:
        return
    allowed = [ipaddress.ip_network(network) for network in networks]
    found = _numbers(host, resolve)
    if (not found and resolve) or not all(_within(number, allowed) for number in found):
        raise MineGISError("E-REG-06", value=", ".join(networks))


def _numbers(host: str, resolve: bool) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    if not resolve:
        return []
    try:
        return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except OSError:
        return []


def _within(number: str, networks: Sequence[Network]) -> bool:
    address = ipaddress.ip_address(number.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in networks)
