"""The server as the StatefulSet starts it, on a real one: locked, durable, its password in no argument."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
import redis

from cli.stack.ports import free_port
from cli.stack.redis_server import redis_command
from tests.k8s.rendering import overlay

PASSWORD = "correct-horse-battery-staple"


class Server:
    """Runs the container's script with its folders below `root`."""

    def __init__(self, root: Path) -> None:
        objects = overlay("cpu")
        self._root, self.port = root, free_port()
        self._container = objects.workload("redis").main
        config = next(found for found in objects.of("ConfigMap") if "redis.conf" in found["data"])["data"]["redis.conf"]
        files = {
            "/etc/redis/redis.conf": self._moved(config) + f"port {self.port}\nbind 127.0.0.1\n",
            "/run/secrets/redis/password": PASSWORD,
        }
        for folder in ("/data", "/tmp", "/bin", *(str(Path(name).parent) for name in files)):
            (root / folder[1:]).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (root / name[1:]).write_text(content)
        (root / "bin/redis-server").symlink_to(redis_command(self.port, root)[0])

    def start(self) -> subprocess.Popen[bytes]:
        command = [*self._container["command"], self._moved(self._container["args"][0])]
        path = f"{self._root}/bin:{os.environ['PATH']}"
        process = subprocess.Popen(command, env={"PATH": path}, stdout=subprocess.DEVNULL)
        give_up = time.monotonic() + 60
        while not self._answers():
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.05)
        return process

    def client(self, password: str | None = PASSWORD) -> redis.Redis:
        return redis.Redis(port=self.port, password=password, decode_responses=True)

    def _answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False

    def _moved(self, text: str) -> str:
        return re.sub(r"/(etc/redis|run/secrets/redis|data|tmp/)", rf"{self._root}/\1", text)


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


def test_it_is_locked_and_keeps_what_it_answered(server: Server) -> None:
    process = server.start()
    try:
        with pytest.raises(redis.AuthenticationError):
            server.client(password=None).ping()
        client = server.client()
        settings = client.config_get("append*", "maxmemory*")
        assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "always")
        assert (settings["maxmemory-policy"], settings["maxmemory"]) == ("noeviction", str(2**30))
        arguments = Path(f"/proc/{process.pid}/cmdline").read_bytes().decode()
        assert "redis-server" in arguments
        assert PASSWORD not in arguments
        client.set("promise", "kept")
        process.kill()
        process.wait(10)
        process = server.start()
        assert server.client().get("promise") == "kept"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)
