"""The judge and the network, before they are trusted."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.evidence import Begun, Kept, begun, decoded_twice, resumed
from tests.chaos.proxy import Network

END = {"type": "evolution.ended"}


def kept(*events: dict[str, Any], version: int = 2) -> Kept:
    record = {"status": "succeeded", "version": version}
    return Kept("evo_a", record, tuple((float(second), event) for second, event in enumerate(events)))


def a_round(number: int) -> dict[str, Any]:
    return {"type": "round.finished", "cycle": 1, "round": number}


def test_what_counts_as_doubled() -> None:
    assert not kept(a_round(1), a_round(2), END).doubled
    assert kept(a_round(1), a_round(1), END).doubled
    assert kept(a_round(1), END, END).doubled
    assert kept(END, a_round(1)).doubled
    assert kept(a_round(1)).doubled


def test_rounds_are_counted_from_the_logs_of_all_workers(tmp_path: Path) -> None:
    line = '{{"time": "2026-01-01T00:00:0{}+00:00", "level": "INFO", "message": "evo_a: {}"}}\n'
    (tmp_path / "orchestrator.log").write_text(
        line.format(1, "round from version 0") + line.format(2, "attempt 1 failed, 2 responses under way: away")
    )
    (tmp_path / "orchestrator-2.log").write_text(
        line.format(3, "round from version 1") + "noise\n" + line.format(4, "round from version 2")
    )
    rounds = begun(tmp_path)
    assert [(one.number, one.failed) for one in rounds] == [(0, False), (1, True), (1, False), (2, False)]
    assert decoded_twice(kept(END), rounds) == 1
    assert decoded_twice(kept(END), [*rounds, Begun(rounds[-1].at + 1, "evo_a", 2, False)]) == 2
    assert decoded_twice(kept(END), [each for each in rounds if not each.failed]) == 0
    before = rounds[0].at - 0.5
    assert decoded_twice(kept(END), rounds, away=(before, before + 2)) == 0


def test_an_evolution_resumes_with_a_round_or_an_event() -> None:
    evolution = kept(a_round(1), a_round(2), END)
    assert resumed(evolution, [], since=0.5) == 0.5
    assert resumed(evolution, [Begun(0.75, "evo_a", 1, False), Begun(0.6, "evo_b", 1, False)], since=0.5) == 0.25


@pytest.fixture
def echo() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                    connection.sendall(connection.recv(100))
                except OSError:
                    return

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_the_network_is_slow_cut_and_reset_as_told(echo: str) -> None:
    with Network() as network:
        host, _, port = network.route("orchestrator-2", "redis", echo).partition(":")
        (proxy,) = network.between("orchestrator", "redis")

        def ask() -> float:
            """Seconds from before the connection to the answer."""
            began = time.monotonic()
            with socket.create_connection((host, int(port)), timeout=5) as connection:
                connection.sendall(b"ping")
                assert connection.recv(100) == b"ping"
            return time.monotonic() - began

        # The quickest of some: on a busy machine any may take longer.
        assert min(ask() for _ in range(5)) < 0.1
        proxy.latency_s = 0.1
        slow = [ask() for _ in range(3)]
        assert min(slow) >= 0.2
        assert min(slow) < 0.4
        network.heal()
        proxy.stalled = True
        healed = threading.Event()
        threading.Timer(0.3, lambda: (healed.set(), network.heal())).start()
        ask()
        assert healed.is_set()
        with socket.create_connection((host, int(port)), timeout=5) as connection:
            time.sleep(0.1)
            network.reset("orchestrator", "redis")
            with pytest.raises(ConnectionResetError):
                connection.recv(100)
