from pathlib import Path

import pytest
from pydantic import ValidationError

from cli.certs import write
from shared.process.certificates import is_local
from shared.process.settings import SettingsError
from shared.rpc.tls import PLAIN, Transport


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certs")
    write(folder)
    return folder


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/tmp/a", "unix-abstract:a", "dns:///localhost:1"],
)
def test_loopback_and_sockets_are_local(address: str) -> None:
    assert is_local(address)


@pytest.mark.parametrize(
    "address",
    [
        *("0.0.0.0:1", "[::]:1", ":1", "generation:1", "10.0.0.1:1", "localhost.example:1"),
        *("dns:///generation:1", "dns://8.8.8.8/localhost:1", "xds:///localhost:1", "ipv4:127.0.0.1:1,10.0.0.1:1"),
    ],
)
def test_everything_else_is_not(address: str) -> None:
    assert not is_local(address)


@pytest.mark.parametrize("credentials", [PLAIN.server_credentials, PLAIN.channel_credentials])
def test_plain_text_stays_on_this_machine_unless_said_explicitly(credentials: object) -> None:
    assert callable(credentials)
    assert credentials("127.0.0.1:50051") is None
    with pytest.raises(SettingsError, match=r"DARWIN_TLS_CA.*darwin certs.*DARWIN_ALLOW_PLAINTEXT"):
        credentials("0.0.0.0:50051")
    allowed = Transport(allow_plaintext=True)
    assert allowed.server_credentials("0.0.0.0:50051") is allowed.channel_credentials("generation:50051") is None


@pytest.mark.parametrize("given", [("ca",), ("cert", "key"), ("ca", "cert")])
def test_all_three_files_or_none(folder: Path, given: tuple[str, ...]) -> None:
    files = {"ca": folder / "ca.pem", "cert": folder / "reward.pem", "key": folder / "reward.key"}
    with pytest.raises(ValidationError, match="together; missing: DARWIN_TLS_"):
        Transport(**{f"tls_{name}": files[name] for name in given})  # type: ignore[arg-type]


def test_files_that_do_not_fit_are_refused(folder: Path, tmp_path: Path) -> None:
    ca, certificate = folder / "ca.pem", folder / "reward.pem"
    (tmp_path / "empty").touch()
    with pytest.raises(ValidationError, match="DARWIN_TLS_KEY: no such file"):
        Transport(tls_ca=ca, tls_cert=certificate, tls_key=folder / "nothing")
    for key in (folder / "mutation.key", tmp_path / "empty"):
        with pytest.raises(ValidationError, match="no certificate and its key"):
            Transport(tls_ca=ca, tls_cert=certificate, tls_key=key)
    with pytest.raises(ValidationError, match="no certificate and its key"):
        Transport(tls_ca=tmp_path / "empty", tls_cert=certificate, tls_key=folder / "reward.key")


def test_given_variables_come_before_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARWIN_ALLOW_PLAINTEXT", "true")
    assert Transport().allow_plaintext
    assert not Transport.over({"DARWIN_ALLOW_PLAINTEXT": "false", "DARWIN_OTHER": "x"}).allow_plaintext
    assert not PLAIN.allow_plaintext
