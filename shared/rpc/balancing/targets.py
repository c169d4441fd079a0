"""Reads the address of a stage, `host:port` or several joined by commas, and resolves its host names."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from shared.process.certificates import without_scheme
from shared.process.settings import SettingsError


@dataclass(frozen=True)
class Target:
    """A host and its port. Where `fixed`, the host is an IP address or a socket's path and needs no resolving."""

    host: str
    port: int
    fixed: bool = False

    @property
    def authority(self) -> str:
        """The name that a certificate must be for; empty where that is the address connected to."""
        return "" if self.fixed else f"{self.host.rstrip('.')}:{self.port}"

    def at(self, ip: str) -> str:
        """`host:port`, as gRPC connects to it."""
        if not self.port:
            return ip
        return f"[{ip}]:{self.port}" if ":" in ip else f"{ip}:{self.port}"


Resolve = Callable[[Target], Awaitable[list[str]]]
"""Returns the IP addresses of a target's host; raises `OSError` where it cannot be resolved."""


def parse(addresses: str) -> tuple[Target, ...]:
    """The targets that an address names.

    Raises:
        SettingsError: it is not `host:port[,host:port…]`.
    """
    return tuple(_parse(part.strip()) for part in without_scheme(addresses).split(","))


async def resolve(target: Target) -> list[str]:
    """Resolves by the system's resolver.

    Where there are IPv4 addresses, IPv6 ones are left out, so that a replica that has both counts once.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def set_answer(found: list[str] | OSError) -> None:
        if not answer.done():
            answer.set_exception(found) if isinstance(found, OSError) else answer.set_result(found)

    def look_up() -> None:
        found = _addresses(target)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(set_answer, found)

    # Not a thread of an executor: a process that stops would wait for it, and the name server may never answer.
    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    return await answer


def _addresses(target: Target) -> list[str] | OSError:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except UnicodeError:
        return OSError(f"{target.host} is no host name")
    except OSError as error:
        return error
    v4 = [str(entry[4][0]) for entry in found if entry[0] == socket.AF_INET]
    return v4 or [str(entry[4][0]) for entry in found if entry[0] == socket.AF_INET6]


def _parse(part: str) -> Target:
    if part.startswith(("unix:", "unix-abstract:")):
        return Target(part, 0, fixed=True)
    try:
        parts = urlsplit(f"//{part}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not (host and port and parts.netloc == part and "@" not in part):
        raise SettingsError(f"{part!r} is no address: host:port is wanted, or several of them joined by commas")
    return Target(host, port, _is_ip(host))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
