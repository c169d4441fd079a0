"""Where webhooks may be sent: which URLs are taken, and to which addresses their hosts may lead."""

import asyncio
import ipaddress
import socket

import httpx

from services.gateway.config.networks import within
from services.gateway.config.settings import GatewaySettings
from shared.errors import InvalidRequest

_MAX_URL = 2048
# Addresses of IPv4 within IPv6, which a gateway of the network translates back.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# All that is routed on the public internet lies in the first; the second is for protocols alone.
_UNICAST = ipaddress.ip_network("2000::/3")
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")


class ForbiddenAddress(Exception):
    """The host leads only to addresses that this deployment does not send to."""


class UnknownHost(Exception):
    """The host has no address."""


def checked_url(text: str, settings: GatewaySettings) -> httpx.URL:
    """The URL, if webhooks may be sent to such a one.

    Raises:
        InvalidRequest: it is none, or not one that this deployment sends to.
    """
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise InvalidRequest("url is no URL", field="url") from None
    if len(text) > _MAX_URL:
        raise InvalidRequest(f"url may have {_MAX_URL} characters at most", field="url")
    if url.scheme != "https" and not (url.scheme == "http" and settings.webhook_http):
        raise InvalidRequest("url must begin with https://", field="url")
    if not url.host or url.userinfo or url.fragment:
        raise InvalidRequest("url must name a host, and hold neither a password nor a fragment", field="url")
    return url


async def addresses_of(url: httpx.URL, settings: GatewaySettings) -> list[str]:
    """The addresses of the URL's host that this deployment sends to, in the resolver's order, each once.

    Raises:
        UnknownHost: it has none.
        ForbiddenAddress: it has none of these.
    """
    host, port = url.raw_host.decode(), url.port or (443 if url.scheme == "https" else 80)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            host.strip("[]"), port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP
        )
    except (OSError, OverflowError, ValueError):
        raise UnknownHost(f"{host} has no address") from None
    addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
    allowed = [address for address in addresses if may_be_sent_to(address, settings.webhook_networks)]
    if not allowed:
        raise ForbiddenAddress(f"{host} leads to no address on the public internet")
    return allowed


def may_be_sent_to(address: str, networks: tuple[str, ...]) -> bool:
    """Whether an address lies on the public internet, or in one of these networks."""
    return within(address, networks) or _public(ipaddress.ip_address(address))


def _public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _public(inner)
        return address.is_global and address in _UNICAST and address.teredo is None and address.scope_id is None
    return address.is_global and not (address.is_multicast or address.is_reserved or address in _PROTOCOLS)
