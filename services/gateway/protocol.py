"""HTTP/1.1 as the gateway speaks it: what is not HTTP is refused in the shape of every other failure."""

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from services.gateway.failures import error_body

_STATUS = 400


class GatewayProtocol(H11Protocol):
    """uvicorn's h11 protocol, because it bounds the size of headers."""

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state is not h11.IDLE and self.conn.our_state is not h11.SEND_RESPONSE:
            self.transport.close()
            return
        body = error_body(_STATUS, "this is not HTTP/1.1, or its headers are too large", None, "invalid_http")
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        content = body.model_dump_json().encode()
        headers.append((b"content-length", str(len(content)).encode()))
        for event in (h11.Response(status_code=_STATUS, headers=headers), h11.Data(data=content), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
