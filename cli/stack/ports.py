"""Ports of processes that are started again on the same address."""

import random
import socket

# Below the range from which Linux takes ports for outgoing connections (32768 and up): while a process is away, a
# client that tries to reach it must not be given its port.
_RANGE = range(15_000, 32_000)


def free_port() -> int:
    """A loopback port on which nobody listens."""
    while True:
        port = random.choice(_RANGE)
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
