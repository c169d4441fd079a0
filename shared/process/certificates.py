"""The files of mutual TLS between processes, and where plain text is allowed: on one machine only."""

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from shared.process.settings import DarwinSettings, SettingsError


class Certificates(DarwinSettings):
    """The three files are PEM, and all or none of them are set.

    With them a server asks every client for a certificate of `tls_ca`, and a client shows its own.
    """

    tls_ca: Path | None = Field(default=None, description="certificate authority that both sides trust")
    tls_cert: Path | None = Field(default=None, description="this process's certificate")
    tls_key: Path | None = Field(default=None, description="its private key")
    allow_plaintext: bool = Field(default=False, description="whether other machines may be spoken to without TLS")

    @model_validator(mode="after")
    def _files_fit(self) -> Self:
        files = {"DARWIN_TLS_CA": self.tls_ca, "DARWIN_TLS_CERT": self.tls_cert, "DARWIN_TLS_KEY": self.tls_key}
        missing = [name for name, file in files.items() if file is None]
        if 0 < len(missing) < len(files):
            raise ValueError(f"TLS needs {', '.join(files)} together; missing: {', '.join(missing)}")
        for name, file in files.items():
            if file is not None and not file.is_file():
                raise ValueError(f"{name}: no such file: {file}")
        if self.tls_ca and self.tls_cert:
            try:
                context = ssl.create_default_context(cafile=self.tls_ca)
                context.load_cert_chain(self.tls_cert, self.tls_key)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"the files of DARWIN_TLS_… are no certificate and its key: {error}") from None
        return self

    @classmethod
    def over(cls, variables: Mapping[str, str]) -> Self:
        """From the environment, with these variables in place of those it has."""
        given = {name.removeprefix("DARWIN_").lower(): value for name, value in variables.items()}
        return cls(**{name: value for name, value in given.items() if name in cls.model_fields})  # type: ignore[arg-type]

    def http_server_files(self, listen: str) -> tuple[str | None, str | None, str | None]:
        """Authority, certificate and key of an HTTP server on `listen`; on this machine it speaks plain text.

        Raises:
            SettingsError: plain text would be open to other machines.
        """
        if is_local(listen):
            return None, None, None
        if self.tls_ca and self.tls_cert and self.tls_key:
            return str(self.tls_ca), str(self.tls_cert), str(self.tls_key)
        self.check_plaintext(f"listening on {listen}", listen)
        return None, None, None

    def check_plaintext(self, doing: str, address: str) -> None:
        """Raises `SettingsError` where plain text to or from `address` would leave this machine."""
        if not (self.allow_plaintext or is_local(address)):
            raise SettingsError(
                f"{doing} in plain text would leave this machine: set DARWIN_TLS_CA, DARWIN_TLS_CERT and "
                "DARWIN_TLS_KEY (`darwin certs FOLDER` makes them), or DARWIN_ALLOW_PLAINTEXT=true where the network "
                "is trusted"
            )


def is_local(address: str) -> bool:
    """Whether a gRPC address (host:port, unix:path, dns:///host:port, ipv4:…) stays on this machine."""
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    return all(_is_loopback(part.strip()) for part in without_scheme(address).split(","))


def without_scheme(address: str) -> str:
    """What gRPC's dns:///, ipv4: or ipv6: stands before."""
    for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        address = address.removeprefix(scheme)
    return address


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
