"""HTTP/1.1 on a connection: headers must come, and answers be read, in time; what is not HTTP gets an error."""

import array
import asyncio
import fcntl
import logging
import sys
import termios

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.gateway.edge.errors import ErrorBody, error_body, headers_too_large

log = logging.getLogger(__name__)

# Closing a connection that holds unread bytes discards the response; so the client has this long to read it.
_LINGER_S = 1.0


class GatewayProtocol(H11Protocol):
    """uvicorn's h11 protocol, which bounds the size of unfinished headers; this class bounds their time, too.

    Headers must be complete `head_seconds` after the connection was made, or, on a kept connection, after their first
    byte came. A client that reads nothing of what waits to be sent for `send_seconds` is hung up on, as if it had done
    so itself, and what it holds is free again.
    """

    head_seconds = 30.0
    send_seconds = 30.0
    _refused = False
    _header_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_header_timer()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._cancel_header_timer()
        elif self._header_timer is None:
            self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_header_timer()
        self._cancel_send_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_send_timer()

    def resume_writing(self) -> None:
        self._cancel_send_timer()
        super().resume_writing()

    def _start_send_timer(self) -> None:
        self._send_timer = self.loop.call_later(self.send_seconds, self._check_sent, self._unread_bytes())

    def _check_sent(self, before: int) -> None:
        if self._unread_bytes() < before:
            self._start_send_timer()
            return
        log.warning("a client has read nothing for %g s: its connection is closed", self.send_seconds)
        self.transport.abort()

    def _unread_bytes(self) -> int:
        """What the client has not acknowledged: what waits here, and what the kernel holds, if it tells."""
        of_kernel = array.array("i", [0])
        try:
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, of_kernel)
        except OSError:
            of_kernel[0] = 0
        return self.transport.get_write_buffer_size() + of_kernel[0]

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _start_header_timer(self) -> None:
        self._header_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def _cancel_header_timer(self) -> None:
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

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


def protocol_with(send_seconds: float) -> type[GatewayProtocol]:
    """The protocol with this time for clients to read what is sent."""
    return type("GatewayProtocol", (GatewayProtocol,), {"send_seconds": send_seconds})
