"""The body of a call: how large and how slow it may be, and how it is unpacked."""

import asyncio
import zlib

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

_CLOSE = {"connection": "close"}
_PACKED = ("gzip", "x-gzip", "deflate")
# zlib tells gzip's header from its own, in which HTTP's "deflate" comes, when 32 is added to the size of the window.
_ANY_HEADER = 32 + zlib.MAX_WBITS
# So many bytes of an unpacked body come at a time, however much is packed in what has arrived.
_MOST_AT_ONCE = 2**20


class LimitedBody:
    """ASGI's `receive`, which raises once the body exceeds `limit` bytes or takes longer than `seconds`.

    Messages after the body, such as a disconnect, may come at any time.
    """

    def __init__(self, scope: Scope, receive: Receive, limit: int, seconds: float) -> None:
        declared = Headers(scope=scope).get("content-length", "")
        self._declared = int(declared) if declared.isdecimal() else 0
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._seconds = seconds
        self._deadline: float | None = asyncio.get_running_loop().time() + seconds

    async def __call__(self) -> Message:
        if self._declared > self._limit:
            raise _too_large(f"{self._limit} bytes")
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, f"the body did not arrive within {self._seconds:g} s", _CLOSE) from None
        self._received += len(message.get("body", b""))
        if self._received > self._limit:
            raise _too_large(f"{self._limit} bytes")
        if not message.get("more_body", False):
            self._deadline = None
        return message


class UnpackedBody:
    """ASGI's `receive`, which unpacks a body whose `content-encoding` is gzip or deflate.

    It raises once more than `limit` bytes come out, before the rest is unpacked, and where the body is broken.
    """

    def __init__(self, scope: Scope, receive: Receive, limit: int) -> None:
        self._encoding = ", ".join(Headers(scope=scope).getlist("content-encoding")).strip().lower()
        self._unpacker = zlib.decompressobj(_ANY_HEADER)
        self._receive = receive
        self._limit = limit
        self._unpacked = 0
        self._begun = False
        self._held: Message | None = None

    async def __call__(self) -> Message:
        message, self._held = self._held or await self._receive(), None
        if self._encoding in ("", "identity") or message["type"] != "http.request":
            return message
        self._begun = self._begun or bool(message.get("body"))
        # A call without a body, such as a GET, has nothing to unpack, whatever its headers say.
        return self._unpack(message) if self._begun else message

    def _unpack(self, message: Message) -> Message:
        if self._encoding not in _PACKED:
            raise HTTPException(
                415,
                f"content-encoding {self._encoding} is not supported: send the body as gzip, as deflate, or as it is",
                _CLOSE | {"accept-encoding": "gzip, deflate"},
            )
        left = self._limit - self._unpacked
        try:
            # At most one byte too many comes out.
            body = self._unpacker.decompress(message.get("body", b""), min(left + 1, _MOST_AT_ONCE))
        except zlib.error:
            raise self._broken() from None
        self._unpacked += len(body)
        if len(body) > left:
            raise _too_large(f"{self._limit} bytes once it is unpacked")
        if len(body) == _MOST_AT_ONCE:
            # More may come out of what is here; the next call says.
            self._held = {**message, "body": self._unpacker.unconsumed_tail}
            return {**message, "body": body, "more_body": True}
        if self._unpacker.unused_data or not (message.get("more_body", False) or self._unpacker.eof):
            raise self._broken()
        return {**message, "body": body}

    def _broken(self) -> HTTPException:
        return HTTPException(400, f"the body is not {self._encoding}, as its content-encoding says", _CLOSE)


def _too_large(most: str) -> HTTPException:
    return HTTPException(413, f"the body is too large: at most {most}", _CLOSE)
