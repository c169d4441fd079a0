"""Refusals that only a gateway makes; each one's name is its `code` on the wire."""

from typing import ClassVar

from shared.errors import InvalidRequest, NotFound, Overloaded, Unauthenticated


class ModelNotFound(NotFound):
    """No method of that name."""


class InvalidApiKey(Unauthenticated):
    """No API key, or one that is malformed, unknown or revoked."""


class MisdirectedRequest(InvalidRequest):
    """The call came for another host's name, as when a web page has its name resolve to this machine."""

    http_status: ClassVar[int] = 421


class KeyLimit(Overloaded):
    """A limit of the caller's API key; it gives way after `retry_after_s` seconds."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimitExceeded(KeyLimit):
    """Too many calls within a minute."""


class InsufficientQuota(KeyLimit):
    """The day's tokens are used up; clients should not try again by themselves."""

    retryable: ClassVar[bool] = False
