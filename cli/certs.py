"""`darwin certs`: a development certificate authority, and a certificate for every process that speaks gRPC."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import trustme
import typer

PROCESSES = ("generation", "reward", "mutation", "orchestrator")
_LOCAL = ("localhost", "127.0.0.1", "::1")
_VALID = timedelta(days=365)


def certs(
    folder: Annotated[Path, typer.Argument(help="Where to write; made if missing, never overwritten.")],
    name: Annotated[list[str] | None, typer.Option(help="One more name or address every certificate is for.")] = None,
) -> None:
    """Make a development CA and the certificates for mutual TLS between processes."""
    try:
        write(folder, tuple(name or ()))
    except FileExistsError as error:
        typer.echo(f"error: {error.filename} exists and is not overwritten; choose another folder", err=True)
        raise typer.Exit(1) from None
    except (OSError, ValueError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from None
    shown = folder.absolute()
    typer.echo(f"Valid for {_VALID.days} days. Set for each of {', '.join(PROCESSES)}, with its own name:\n")
    typer.echo(f"  DARWIN_TLS_CA={shown}/ca.pem")
    typer.echo(f"  DARWIN_TLS_CERT={shown}/generation.pem")
    typer.echo(f"  DARWIN_TLS_KEY={shown}/generation.key")


def write(folder: Path, names: tuple[str, ...] = ()) -> None:
    """Writes ca.pem, and for each process its certificate (NAME.pem) and private key (NAME.key, for the owner only).

    The authority's own key is kept nowhere: whoever needs one more certificate makes a new folder.

    Raises:
        FileExistsError: one of the files is there already; then nothing is written.
        ValueError: a name that is neither a host's name nor an address.
    """
    since = datetime.now(UTC) - timedelta(hours=1)
    authority = trustme.CA(organization_name="Darwin development")
    issued = {process: _issue(authority, process, names, since) for process in PROCESSES}
    files = {"ca.pem": authority.cert_pem.bytes()}
    for process, leaf in issued.items():
        files[f"{process}.pem"] = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        files[f"{process}.key"] = leaf.private_key_pem.bytes()
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if (folder / file).exists():
            raise FileExistsError(None, "exists", str(folder / file))
    for file, content in files.items():
        mode = 0o600 if file.endswith(".key") else 0o644
        with os.fdopen(os.open(folder / file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as target:
            target.write(content)


def _issue(authority: trustme.CA, process: str, names: tuple[str, ...], since: datetime) -> trustme.LeafCert:
    own = (process, f"{process}.darwin", f"{process}.darwin.svc", f"{process}.darwin.svc.cluster.local")
    everyone = dict.fromkeys((*own, *_LOCAL, *names))
    return authority.issue_cert(*everyone, common_name=process, not_before=since, not_after=since + _VALID)
