"""The same Redis, named to kombu as it wants it named, whatever spelling the URL has."""

import ssl
from typing import Any

import pytest
from kombu.connection import Connection

from services.orchestrator.broker import broker_url, celery_app
from services.orchestrator.tasks import register
from shared.redis_address import RedisAddress
from shared.store.queue import ADVANCE


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://:p@host:1/2", "redis://:p@host:1/2"),
        ("redis://me:a%2Fb@host", "redis://me:a%2Fb@host:6379/0"),
        ("redis://[::1]/1", "redis://[::1]:6379/1"),
        ("rediss://host?ssl_cert_reqs=none", "rediss://host:6379/0"),
        ("unix:///run/redis.sock", "redis+socket:///run/redis.sock?virtual_host=0"),
        ("unix:///run/redis.sock?db=3", "redis+socket:///run/redis.sock?virtual_host=3"),
        ("redis+socket:///run/r.sock?virtual_host=3", "redis+socket:///run/r.sock?virtual_host=3"),
        ("unix:///run/r.sock?db=3&password=a%2Fb", "redis+socket://:a%2Fb@/run/r.sock?virtual_host=3"),
        ("unix://me:secret@/run/r.sock", "redis+socket://me:secret@/run/r.sock?virtual_host=0"),
        ("sentinel://:p@a:1,b/main/3", "sentinel://:p@a:1/3;sentinel://:p@b:26379/3"),
    ],
)
def test_a_server_is_named_as_kombu_names_it(url: str, expected: str) -> None:
    assert broker_url(RedisAddress.parse(url)) == expected
    assert Connection(expected).transport_cls in ("redis", "rediss", "sentinel")


@pytest.mark.parametrize(
    ("query", "required", "named"),
    [("", ssl.CERT_REQUIRED, True), ("ssl_cert_reqs=CERT_NONE", ssl.CERT_NONE, False)],
)
def test_kombu_checks_certificates_as_redis_py_does(query: str, required: ssl.VerifyMode, named: bool) -> None:
    connection: Any = celery_app(f"rediss://host?{query}").connection_for_write()
    assert connection.ssl == {"ssl_cert_reqs": required, "ssl_check_hostname": named}
    assert celery_app("redis://host").connection_for_write().ssl is False


def test_sentinels_have_a_login_and_a_name_of_their_own() -> None:
    connection: Any = celery_app("sentinel://:p@a:1,b/main/3?sentinel_password=q&ssl=true").connection_for_write()
    assert (connection.password, connection.virtual_host, connection.alt[1]) == ("p", "3", "sentinel://:p@b:26379/3")
    options = connection.transport_options
    assert options["master_name"] == "main"
    assert options["sentinel_kwargs"].items() >= {"password": "q", "ssl": True, "ssl_cert_reqs": 2}.items()


async def test_each_application_in_a_process_performs_its_own_task() -> None:
    heard, apps = [], []

    def noting(number: int) -> Any:
        async def perform(evolution_id: str, version: int) -> None:
            heard.append((number, evolution_id, version))

        return perform

    for number in range(6):
        apps.append(celery_app("redis://host"))
        register(apps[-1], noting(number))
    for app in apps:
        await app.tasks[ADVANCE].run("evo_1", 2)
    assert heard == [(number, "evo_1", 2) for number in range(6)]
