"""Recorded evolutions: documents of an evolution with its events, and the files that hold them."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from shared.records import Message, Replacement, Status
from shared.settings import reasons


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class BaseScored(_Value):
    type: Literal["base.scored"]
    text: str
    reward: float | None


class Round(_Value):
    type: Literal["round.finished"]
    cycle: int
    round: int
    texts: tuple[str, ...]
    rewards: tuple[float | None, ...]
    replacements: tuple[Replacement, ...]
    finished: tuple[bool, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        states = len(self.texts)
        if not len(self.rewards) == len(self.finished) == states:
            raise ValueError("texts, rewards and finished have different lengths")
        if not all(0 <= state < states for item in self.replacements for state in (item.state, item.donor)):
            raise ValueError("a replacement names a state that is not in the population")
        return self


class CycleEnd(_Value):
    type: Literal["cycle.finished"]
    cycle: int
    rewards: tuple[float | None, ...]


_Used = Annotated[BaseScored | Round | CycleEnd, Field(discriminator="type")]
_TYPES = ("base.scored", "round.finished", "cycle.finished")


def _used(events: Any) -> Any:
    """Events that pairs are made of; others, and types that are not known yet, are passed over."""
    if not isinstance(events, list):
        return events
    return [event for event in events if not isinstance(event, dict) or event.get("type") in _TYPES]


class Recorded(_Value):
    """An evolution with its events, as `darwin align --json` prints it; `pydantic.ValidationError` for anything else.

    Rewards may be missing or not finite; what they belong to is left out of every pair.
    """

    id: str
    status: Status
    messages: tuple[Message, ...] = Field(min_length=1)
    events: Annotated[tuple[_Used, ...], BeforeValidator(_used)]


class NotRecorded(Exception):
    """A file does not hold evolutions with their events; the message says where and why."""


def read(path: Path) -> Iterator[Recorded]:
    """The evolutions of a file: one JSON document, or one in each line.

    Raises:
        NotRecorded: some document is none.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.readline()
        lines = chain([head], file)
        texts = enumerate(lines, 1) if _is_json(head) else [(1, b"".join(lines))]
        for number, text in texts:
            if text.strip():
                yield _parsed(text, f"{path}, line {number}")


def recorded(document: Any, where: str) -> Recorded:
    """Raises `NotRecorded` where the document, which came from `where`, is none."""
    try:
        return Recorded.model_validate(document)
    except ValidationError as error:
        raise NotRecorded(f"{where} is no evolution with its events: {reasons(error)[0]}") from None


def _parsed(text: bytes, where: str) -> Recorded:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise NotRecorded(f"{where} is not JSON: {error}") from None
    return recorded(document, where)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
