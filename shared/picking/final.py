"""A final response as far as it matters to which one is the answer."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from shared.records.evolution import FinishReason
from shared.records.tools import ToolCall

BASE = -1
"""The index of the base state, which decodes the original conversation and takes no part in replacement."""


class Called(Protocol):
    """What a response calls; `canonical` is the same for all responses that call alike."""

    @property
    def calls(self) -> Sequence[ToolCall]: ...
    @property
    def canonical(self) -> str: ...


class Response(Protocol):
    """`valid` says whether it may be the answer before others, `whole_text` is what rewards read."""

    @property
    def finish(self) -> FinishReason | None: ...
    @property
    def valid(self) -> bool: ...
    @property
    def called(self) -> Called: ...
    @property
    def whole_text(self) -> str: ...


class Scored(Protocol):
    """What was scored, with the reward's components by name."""

    @property
    def components(self) -> Mapping[str, float]: ...


class Final(Scored, Protocol):
    """A final response of a state, `BASE` for the base response, with what was said of it by its reward."""

    @property
    def state(self) -> int: ...
    @property
    def response(self) -> Response: ...
    @property
    def reward(self) -> float | None: ...
    @property
    def abstained(self) -> str: ...
    @property
    def breaks(self) -> str: ...


F = TypeVar("F", bound=Final)
