"""What a stage's address names: `host:port`, or several joined by commas; each host may have many addresses."""

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
    """A host and its port. `fixed`: the host is an IP address or a socket's path, and nothing is to be resolved."""

    host: str
    port: int
    fixed: bool = False

    @property
    def authority(self) -> str:
        """What its certificate must be for, where that is not the address connected to."""
        return "" if self.fixed else f"{self.host.rstrip('.')}:{self.port}"

    def at(self, ip: str) -> str:
        """`host:port`, as gRPC connects to it."""
        if not self.port:
            return ip
        return f"[{ip}]:{self.port}" if ":" in ip else f"{ip}:{self.port}"


Resolve = Callable[[Target], Awaitable[list[str]]]
"""The IP addresses of a target's host; raises `OSError` where they cannot be told."""


def parse(addresses: str) -> tuple[Target, ...]:
    """Raises `SettingsError` where it is not `host:port[,host:port…]`."""
    return tuple(_parse(part.strip()) for part in without_scheme(addresses).split(","))


async def resolve(target: Target) -> list[str]:
    """By the system's resolver. IPv4 counts where there is any, so that a replica with both addresses counts once."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str] | OSError) -> None:
        if not answer.done():
            answer.set_exception(found) if isinstance(found, OSError) else answer.set_result(found)

    def ask() -> None:
        found = _addresses(target)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, found)

    # No executor's: a process that stops would wait for a name server that does not answer.
    threading.Thread(target=ask, name="resolve", daemon=True).start()
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
