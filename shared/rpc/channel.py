"""gRPC as Darwin uses it: long-lived channels, one translation of errors (`shared.rpc.server` has the other end)."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

from collections.abc import Callable, Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from shared import errors
from shared.rpc.tls import DIRECTLY, PLAIN, Transport
from shared.telemetry.tracing import current_trace_id

MAX_MESSAGE_BYTES = 32 * 1024 * 1024

MESSAGE_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
PING_EVERY_S, PONG_WITHIN_S = 10.0, 8.0
"""A frozen peer is noticed within both together; a server must bear being asked that often (`shared.rpc.server`)."""
_CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    *MESSAGE_OPTIONS,
    *DIRECTLY,
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # How long one attempt to connect may take, whatever the name says.
    ("grpc.min_reconnect_backoff_ms", 5_000),
)
# Status and details travel as HTTP/2 headers, of which 8 KiB are taken, and each is encoded at up to thrice its size.
_MAX_TEXT_BYTES = 600

_BY_STATUS = {error.grpc_status: error for error in errors.leaves()}
_FOREIGN_STATUS: dict[str, type[errors.DarwinError]] = {
    "UNKNOWN": errors.Internal,
    "ALREADY_EXISTS": errors.Conflict,
    "PERMISSION_DENIED": errors.Unsupported,
    "OUT_OF_RANGE": errors.InvalidRequest,
    "UNIMPLEMENTED": errors.Unsupported,
    "DATA_LOSS": errors.Internal,
}


def to_status(error: errors.DarwinError) -> status_pb2.Status:
    """The `google.rpc.Status` of an error: BadRequest details name the field, RetryInfo marks what may be retried,
    RequestInfo names the trace.
    """
    details: list[any_pb2.Any] = []
    message = _cut(error.message)
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=_cut(error.field), description=message)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if error.retryable:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(1)
        details.append(_packed(retry))
    if trace_id := current_trace_id():
        details.append(_packed(error_details_pb2.RequestInfo(request_id=trace_id)))
    code = code_pb2.Code.Value(error.grpc_status)
    return status_pb2.Status(code=code, message=message, details=details)


def _cut(text: str) -> str:
    data = text.encode("utf-8", "replace")
    return text if len(data) <= _MAX_TEXT_BYTES else data[:_MAX_TEXT_BYTES].decode(errors="ignore") + "…"


def _packed(message: Any) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def from_rpc_error(
    error: grpc.RpcError, caller_field: Callable[[str], str] = lambda field: field
) -> errors.DarwinError:
    """The Darwin error a failed call stands for; total over `grpc.StatusCode`.

    `caller_field` turns a field of the call into the field of the request that it came from.
    """
    name = error.code().name
    kind = _BY_STATUS.get(name) or _FOREIGN_STATUS[name]
    field = None
    for detail in _details(error):
        request = error_details_pb2.BadRequest()
        if detail.Unpack(request) and request.field_violations:
            field = caller_field(request.field_violations[0].field)
    return kind(error.details() or name, field=field)


def _details(error: grpc.RpcError) -> Iterable[any_pb2.Any]:
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:  # the call ended otherwise than its server said
        return ()
    return status.details if status else ()


def connect(address: str, transport: Transport = PLAIN, authority: str = "") -> grpc.aio.Channel:
    """A long-lived channel; it reconnects by itself, within about a second of its peer's return, and notices a frozen
    peer within 20 s. Close it with `await channel.close()`. The peer's certificate is for `authority`, if there is one,
    in place of `address`.

    Raises:
        SettingsError: plain text would leave this machine.
    """
    credentials = transport.channel_credentials(address)
    options = (*_CHANNEL_OPTIONS, *_keepalive(), *([("grpc.default_authority", authority)] if authority else ()))
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, credentials, options=options)


def _keepalive() -> tuple[tuple[str, int], ...]:
    return (
        ("grpc.keepalive_time_ms", int(PING_EVERY_S * 1000)),
        ("grpc.keepalive_timeout_ms", int(PONG_WITHIN_S * 1000)),
        ("grpc.http2.ping_timeout_ms", int(PONG_WITHIN_S * 1000)),
    )
