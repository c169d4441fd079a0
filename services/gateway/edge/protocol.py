"""HTTP/1.1 as the gateway speaks it: what is not HTTP is refused in the shape of every other failure."""

import asyncio
import sys

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.gateway.edge.errors import ErrorBody, error_body, headers_too_large

# A connection closed at once, with bytes unread, takes the answer with it.
_LINGER_S = 1.0


class GatewayProtocol(H11Protocol):
    """uvicorn's h11 protocol, chosen because it bounds what it holds of unfinished headers.

    Headers must be complete `head_seconds` after their connection was made or their first byte came.
    """

    head_seconds = 30.0
    _refused = False
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._unset_late()
        elif self._late is None:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unset_late()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        self._late = self.loop.call_later(self.head_seconds, self.transport.close)

    def _unset_late(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def send_400_response(self, msg: str) -> None:
        self._refused = True
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        status, body = _refusal(sys.exception())
        content = body.model_dump_json().encode()
        headers = {"content-type": "application/json", "content-length": str(len(content)), "connection": "close"}
        for event in (
            h11.Response(status_code=status, headers=list(headers.items())),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.write_eof()
        self.loop.call_later(_LINGER_S, self.transport.close)


def _refusal(reason: BaseException | None) -> tuple[int, ErrorBody]:
    if isinstance(reason, h11.RemoteProtocolError) and reason.error_status_hint == 431:
        return 431, headers_too_large()
    return 400, error_body(400, "this is not HTTP/1.1", None, "invalid_http")
