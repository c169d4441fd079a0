"""Who may speak to whom by gRPC: mutual TLS between processes, and plain text on one machine only."""

import grpc

from shared.process.certificates import Certificates

DIRECTLY = (("grpc.enable_http_proxy", 0),)
"""Options of a channel: proxies of the environment are for other networks, not for what belongs together."""


class Transport(Certificates):
    """How gRPC connections are secured."""

    def server_credentials(self, listen: str) -> grpc.ServerCredentials | None:
        """What a server on `listen` asks of its clients; None is plain text.

        Raises:
            SettingsError: plain text would be open to other machines.
        """
        if self.tls_ca and self.tls_cert and self.tls_key:
            pair = (self.tls_key.read_bytes(), self.tls_cert.read_bytes())
            return grpc.ssl_server_credentials([pair], self.tls_ca.read_bytes(), require_client_auth=True)
        self.check_plaintext(f"listening on {listen}", listen)
        return None

    def channel_credentials(self, target: str) -> grpc.ChannelCredentials | None:
        """What a client shows to `target`; None is plain text.

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
"""Plain text on this machine, whatever the environment says."""
