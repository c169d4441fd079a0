"""The files for mutual TLS between processes, and the rule that plain text stays on one machine."""

import ipaddress
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from shared.process.settings import DarwinSettings, SettingsError


class Certificates(DarwinSettings):
    """Settings of mutual TLS. The three files are PEM; either all of them are set, or none.

    With them a server asks every client for a certificate that `tls_ca` has signed, and a client shows its own.
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
        """Reads the settings from the environment, where `variables` take precedence."""
        given = {name.removeprefix("DARWIN_").lower(): value for name, value in variables.items()}
        return cls(**{name: value for name, value in given.items() if name in cls.model_fields})  # type: ignore[arg-type]

    def http_server_files(self, listen: str) -> tuple[str | None, str | None, str | None]:
        """Paths of authority, certificate and key for an HTTP server on `listen`; None for plain text on this machine.

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
        """Checks plain text to or from `address`; `doing` begins the message.

        Raises:
            SettingsError: it would leave this machine, and that is not allowed.
        """
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
    """The address without gRPC's dns:///, ipv4: or ipv6: before it."""
    for scheme in ("dns:///", "dns:", "ipv4:", "ipv6:"):
        address = address.removeprefix(scheme)
    return address


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
