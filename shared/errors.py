"""Every error Darwin raises on purpose, and what each means on the wire.

DarwinError
├── InvalidRequest        the caller must change the request       INVALID_ARGUMENT     400
├── ContextLengthExceeded the conversation fills the context       OUT_OF_RANGE         400
├── Unsupported           this deployment cannot do what was asked FAILED_PRECONDITION  400
├── Unauthenticated       no valid API key                        UNAUTHENTICATED      401
├── NotFound              no such thing, or not the caller's       NOT_FOUND            404
├── Conflict              somebody else changed it first           ABORTED              409
├── Overloaded            a limit was reached, come back later     RESOURCE_EXHAUSTED   429
├── Cancelled             the caller asked to stop                 CANCELLED            499
├── Internal              a defect or a broken model               INTERNAL             500
├── Unavailable           a process we depend on is away           UNAVAILABLE          503
└── DeadlineExceeded      time ran out                             DEADLINE_EXCEEDED    504

Foreign exceptions are translated once, at the boundary where they arise (`shared.rpc.channel`, the gateway's handlers).
"""

from typing import ClassVar, Self


class DarwinError(Exception):
    """Base of the tree.

    `grpc_status` is the name of a `grpc.StatusCode`, `http_status` the HTTP status; `field` names the offending
    request field where there is one; `retryable` says whether the same call may succeed later, and `retry_after_s`
    after how many seconds, where whoever refused has said so.

    `outside` is what callers of the API are told of an error that arose in a stage, whose message may hold addresses,
    paths and texts of exceptions. It is empty where the message is about the caller's own request: then they are told
    that.
    """

    grpc_status: ClassVar[str] = "INTERNAL"
    http_status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    outside: ClassVar[str] = "something inside failed unexpectedly"
    retry_after_s: float | None = None

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class InvalidRequest(DarwinError):
    """The request itself is wrong; the message says what to change."""

    grpc_status = "INVALID_ARGUMENT"
    http_status = 400
    outside = ""


class ContextLengthExceeded(DarwinError):
    """The conversation leaves no room for an answer in the model's context, or a text is longer than what embeds reads.

    Client libraries know it by its name and by the words of `of`, and may then shorten the conversation.
    """

    grpc_status = "OUT_OF_RANGE"
    http_status = 400
    outside = ""

    @classmethod
    def of(cls, context: int, tokens: int, field: str = "messages") -> Self:
        """The error of a conversation, or of what else `field` names, of so many tokens."""
        return cls(
            f"This model's maximum context length is {context} tokens. However, your {field} resulted in {tokens} "
            f"tokens. Please reduce the length of the {field}.",
            field=field,
        )


class Unsupported(DarwinError):
    """The request is well formed, but this deployment (engine, model, profile) cannot serve it."""

    grpc_status = "FAILED_PRECONDITION"
    http_status = 400
    outside = ""


class Unauthenticated(DarwinError):
    """No API key, or one that is unknown or revoked."""

    grpc_status = "UNAUTHENTICATED"
    http_status = 401
    outside = ""


class NotFound(DarwinError):
    """No such evolution, profile or model."""

    grpc_status = "NOT_FOUND"
    http_status = 404
    outside = ""


class Conflict(DarwinError):
    """The record changed since it was read."""

    grpc_status = "ABORTED"
    http_status = 409
    outside = "something changed meanwhile"


class Overloaded(DarwinError):
    """A limit on concurrent or queued work was reached."""

    grpc_status = "RESOURCE_EXHAUSTED"
    http_status = 429
    outside = "the models have too much to do: try again later"
    retryable = True


class Cancelled(DarwinError):
    """The caller went away or asked to stop."""

    grpc_status = "CANCELLED"
    http_status = 499
    outside = "the work was cut short"


class Internal(DarwinError):
    """A defect of ours, or a model that answers nonsense (NaN, a missing score)."""

    grpc_status = "INTERNAL"
    http_status = 500


class Unavailable(DarwinError):
    """Redis or a service cannot be reached."""

    grpc_status = "UNAVAILABLE"
    http_status = 503
    outside = "a part of this deployment is away: try again later"
    retryable = True


class DeadlineExceeded(DarwinError):
    """The caller's deadline passed before an answer existed."""

    grpc_status = "DEADLINE_EXCEEDED"
    http_status = 504
    outside = "time ran out before any response was decoded"


def leaves() -> tuple[type[DarwinError], ...]:
    """Every concrete error."""
    return tuple(DarwinError.__subclasses__())
