import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from typer.testing import CliRunner

from cli.certs import PROCESSES
from cli.main import app
from shared.rpc.tls import Transport


def test_certificates_for_every_process(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "certs"
    shown = CliRunner().invoke(app, ["certs", str(folder), "--name", "box.example", "--name", "10.0.0.5"])
    assert shown.exit_code == 0
    for process in PROCESSES:
        certificate = x509.load_pem_x509_certificate((folder / f"{process}.pem").read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns, addresses = names.get_values_for_type(x509.DNSName), names.get_values_for_type(x509.IPAddress)
        assert {process, f"{process}.darwin.svc", "localhost", "box.example"} <= set(dns)
        assert {"127.0.0.1", "::1", "10.0.0.5"} == {str(address) for address in addresses}
        left = certificate.not_valid_after_utc - datetime.now(UTC)
        assert timedelta(days=360) < left < timedelta(days=370)
        assert stat.S_IMODE((folder / f"{process}.key").stat().st_mode) == 0o600
    files = {"ca": "ca.pem", "cert": "generation.pem", "key": "generation.key"}
    for name, file in files.items():
        assert f"DARWIN_TLS_{name.upper()}={folder}/{file}" in shown.output
    Transport(**{f"tls_{name}": folder / file for name, file in files.items()})  # type: ignore[arg-type]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mutation.key").write_text("mine")
    shown = CliRunner().invoke(app, ["certs", str(tmp_path)])
    assert shown.exit_code == 1
    assert "mutation.key exists" in shown.output
    assert [file.name for file in tmp_path.iterdir()] == ["mutation.key"]
