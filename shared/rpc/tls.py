"""Secures gRPC connections: mutual TLS between processes, and plain text on one machine only."""

import grpc

from shared.process.certificates import Certificates

NO_PROXY = (("grpc.enable_http_proxy", 0),)
"""Options of a channel that ignores the environment's proxies: those are for other networks, not for our services."""


class Transport(Certificates):
    """The certificates of this process as gRPC credentials."""

    def server_credentials(self, listen: str) -> grpc.ServerCredentials | None:
        """The credentials of a server on `listen`; None means plain text.

        Raises:
            SettingsError: plain text would be open to other machines.
        """
        if self.tls_ca and self.tls_cert and self.tls_key:
            pair = (self.tls_key.read_bytes(), self.tls_cert.read_bytes())
            return grpc.ssl_server_credentials([pair], self.tls_ca.read_bytes(), require_client_auth=True)
        self.check_plaintext(f"listening on {listen}", listen)
        return None

    def channel_credentials(self, target: str) -> grpc.ChannelCredentials | None:
        """The credentials of a client of `target`; None means plain text.

        Raises:
            SettingsError: plain text would leave this machine.
        """
        if self.tls_ca and self.tls_cert and self.tls_key:
            return grpc.ssl_channel_credentials(
                self.tls_ca.read_bytes(), self.tls_key.read_bytes(), self.tls_cert.read_bytes()
            )
        self.check_plaintext(f"connecting to {target}", target)
        return None


PLAIN = Transport.model_construct()
"""Plain text, allowed on this machine only, without regard to the environment."""
