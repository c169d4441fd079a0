"""The client's end of a gRPC connection: long-lived channels, and the translation between errors and gRPC statuses."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import re
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

from shared import errors
from shared.records.limits import MAX_MESSAGE_BYTES
from shared.rpc.tls import NO_PROXY, PLAIN, Transport
from shared.telemetry.tracing import current_trace_id

MESSAGE_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)
PING_EVERY_S, PONG_WITHIN_S = 10.0, 8.0
"""A frozen peer is noticed within the sum of both. A server must allow pings this often (`shared.rpc.server`)."""
_CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    *MESSAGE_OPTIONS,
    *NO_PROXY,
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # In spite of its name this is how long one attempt to connect may take.
    ("grpc.min_reconnect_backoff_ms", 5_000),
)
# Status and details travel as HTTP/2 headers. A peer takes 8 KiB of them, and encoding may triple a text's size.
_MAX_TEXT_BYTES = 600
_RETRY_AFTER_S = 1.0
# gRPC's own words for a message, or headers, larger than may be sent. The status is that of a peer that is full, but
# the same call never fits.
_TOO_LARGE = re.compile(r"message larger than max|metadata size exceeds", re.IGNORECASE)

_BY_STATUS = {error.grpc_status: error for error in errors.leaves()}
_FOREIGN_STATUS: dict[str, type[errors.DarwinError]] = {
    "UNKNOWN": errors.Internal,
    "ALREADY_EXISTS": errors.Conflict,
    "PERMISSION_DENIED": errors.Unsupported,
    "UNIMPLEMENTED": errors.Unsupported,
    "DATA_LOSS": errors.Internal,
}


def to_status(error: errors.DarwinError) -> status_pb2.Status:
    """The `google.rpc.Status` of an error.

    Its details are BadRequest with the field, RetryInfo where the call may be retried, RequestInfo with the trace id.
    """
    details: list[any_pb2.Any] = []
    message = _cut(error.message)
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(field=_cut(error.field), description=message)
        details.append(_packed(error_details_pb2.BadRequest(field_violations=[violation])))
    if error.retryable:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromMilliseconds(int(1000 * (error.retry_after_s or _RETRY_AFTER_S)))
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
    """Translates the error of a failed call; every `grpc.StatusCode` has a translation.

    `caller_field` maps a field of the call to the field of the caller's request that it was made from.
    """
    name = error.code().name
    kind = _BY_STATUS.get(name) or _FOREIGN_STATUS[name]
    message = error.details() or name
    if kind is errors.Overloaded and _TOO_LARGE.search(message):
        return errors.InvalidRequest(f"what this asks for does not fit one message of {MAX_MESSAGE_BYTES} bytes")
    field, retry_after_s = None, None
    for detail in _details(error):
        request, retry = error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
        if detail.Unpack(request) and request.field_violations:
            field = caller_field(request.field_violations[0].field)
        elif detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToMilliseconds() / 1000
    translated = kind(message, field=field)
    translated.retry_after_s = retry_after_s
    return translated


def _details(error: grpc.RpcError) -> Iterable[any_pb2.Any]:
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
    except ValueError:  # the status in the details is not the one that the call ended with
        return ()
    return status.details if status else ()


def connect(address: str, transport: Transport = PLAIN, authority: str = "") -> grpc.aio.Channel:
    """Opens a long-lived channel. Close it with `await channel.close()`.

    It reconnects by itself, within about a second of its peer's return, and notices a frozen peer within 20 s. Where
    `authority` is given, the peer's certificate must be for that name, and not for `address`.

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
