"""Installing with uv where it is, and with pip besides."""

import sys
from pathlib import Path

import pytest

from scripts.packages import installers, told


def test_uv_is_told_what_pip_was_told() -> None:
    lines = [
        ":env:.cert='/env.crt'",
        ":env:.default-timeout='180'",
        "global.cert='/file.crt'",
        "global.extra-index-url='https://a/simple\\nhttps://b/simple'",
        "install.find-links='/wheels /more'",
        "user.index-url='https://own/simple'",
    ]
    assert told(lines) == {
        "SSL_CERT_FILE": "/env.crt",
        "UV_INDEX": "https://a/simple https://b/simple",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_DEFAULT_INDEX": "https://own/simple",
    }


def test_what_is_set_for_uv_itself_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = tmp_path / "python"
    owner.symlink_to(sys.executable)
    owner.with_name("uv").touch()
    monkeypatch.setenv("PIP_INDEX_URL", "https://pip/simple")
    (_, first), (_, last) = installers(owner, owner, "x")
    assert first["UV_DEFAULT_INDEX"] == "https://pip/simple"
    assert "UV_DEFAULT_INDEX" not in last
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://uv/simple")
    (_, first), _ = installers(owner, owner, "x")
    assert first["UV_DEFAULT_INDEX"] == "https://uv/simple"


def test_pip_is_there_where_uv_is_not(tmp_path: Path) -> None:
    owner, python = tmp_path / "python", tmp_path / "other"
    ((command, _),) = installers(owner, python, "--no-deps", "x==1")
    assert command[:5] == [str(owner), "-m", "pip", "--python", str(python)]
    assert command[-2:] == ["--no-deps", "x==1"]
