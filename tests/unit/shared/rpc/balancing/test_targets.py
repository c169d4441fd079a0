import asyncio
import socket
import threading
import time

import pytest

from shared.process.settings import SettingsError
from shared.rpc.balancing.targets import Target, parse, resolve


@pytest.mark.parametrize(
    ("address", "targets"),
    [
        ("generation:50051", (Target("generation", 50051),)),
        ("dns:///generation.darwin.svc:50051", (Target("generation.darwin.svc", 50051),)),
        ("127.0.0.1:1, [::1]:65535", (Target("127.0.0.1", 1, fixed=True), Target("::1", 65535, fixed=True))),
        ("unix:/run/s", (Target("unix:/run/s", 0, fixed=True),)),
    ],
)
def test_addresses(address: str, targets: tuple[Target, ...]) -> None:
    assert parse(address) == targets


@pytest.mark.parametrize(
    "address",
    [
        "",
        "generation",
        "generation:",
        ":50051",
        "a:0",
        "a:70000",
        "a:b",
        "a:1,",
        "::1:5",
        "u@a:1",
        "a:1/x",
        "http://a:1",
    ],
)
def test_what_is_no_address_is_refused_with_what_to_write(address: str) -> None:
    with pytest.raises(SettingsError, match="host:port"):
        parse(address)


def test_a_name_keeps_what_its_certificate_is_for() -> None:
    assert Target("generation", 5).at("10.0.0.7") == "10.0.0.7:5"
    assert Target("generation", 5).at("fd00::7") == "[fd00::7]:5"
    assert Target("generation", 5).authority == "generation:5"
    assert Target("generation.darwin.svc.cluster.local.", 5).authority == "generation.darwin.svc.cluster.local:5"
    assert [target.authority for target in parse("127.0.0.1:5,unix:/run/s")] == ["", ""]
    assert parse("unix:/run/s")[0].at("unix:/run/s") == "unix:/run/s"


async def test_the_systems_resolver_is_asked() -> None:
    assert await resolve(Target("localhost", 5)) == ["127.0.0.1"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "x" * 70, "a..b"])
async def test_a_host_without_addresses_is_an_os_error(host: str) -> None:
    with pytest.raises(OSError):  # noqa: PT011 - its subclasses differ by machine
        await resolve(Target(host, 5))


async def test_a_replica_with_both_kinds_of_address_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def both(*_: object, **__: object) -> list[object]:
        v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::7", 5, 0, 0))
        return [v6, *([(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 5))] if with_v4 else [])]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    with_v4 = True
    assert await resolve(Target("dual", 5)) == ["10.0.0.7"]
    with_v4 = False
    assert await resolve(Target("dual", 5)) == ["fd00::7"]


async def test_a_name_server_that_does_not_answer_holds_up_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def hang(*_: object, **__: object) -> list[object]:
        asked.set()
        time.sleep(1)
        raise OSError("timed out")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    waiting = asyncio.ensure_future(resolve(Target("slow", 5)))
    await asyncio.to_thread(asked.wait, 5)
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "resolve"] == [True]
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
