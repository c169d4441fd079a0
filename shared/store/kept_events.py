"""Events as an evolution's stream holds them: what was saved together is one entry, and each has a position."""

from contextlib import suppress
from dataclasses import dataclass

from pydantic_core import from_json

from shared.records.events import Ended, Event
from shared.records.telling import Told
from shared.store import columns, layout

_ENDED = Ended("succeeded").type
Entry = tuple[str, dict[str, str]]
"""Of a stream: its position and its fields."""


@dataclass(frozen=True)
class StoredEvent:
    """An event with its position in the evolution's stream."""

    id: str
    event: Event


@dataclass(frozen=True)
class RawEvents:
    """Events that were saved together as they are kept, with the position of the last of them in the evolution's
    stream; `several` says whether there is more than one.
    """

    id: str
    text: str
    several: bool = False

    @classmethod
    def of(cls, entry: Entry) -> "RawEvents":
        """Those of an entry of the stream."""
        position, fields = entry
        return cls(position, fields.get("events", fields.get("event", "")), "events" in fields)

    def whole(self, told: Told, after: str = "0") -> list[StoredEvent]:
        """The events, which come next after what was `told`, without those up to the position `after`; raises
        `Internal` where they cannot be read.
        """
        found = layout.parsed_events(self.text, self.several, told, f"the event {self.id} of an evolution")
        ms, number = position_numbers(self.id)
        first = number - len(found) + 1
        stored = [StoredEvent(f"{ms}-{first + at}", event) for at, event in enumerate(found)]
        return (
            stored if after == "0" else [each for each in stored if position_numbers(each.id) > position_numbers(after)]
        )

    @property
    def ends(self) -> bool:
        """Whether they are the last ones. A text may hold the words, too, so they only save parsing all others."""
        if _ENDED not in self.text:
            return False
        with suppress(ValueError, TypeError, KeyError, IndexError, AttributeError):
            value = from_json(self.text)
            return bool((columns.rows(value[-1])[-1] if self.several else value)["type"] == _ENDED)
        return False


def position_numbers(position: str) -> tuple[int, int]:
    """A position in a stream as numbers, which compare as positions do."""
    first, _, second = position.partition("-")
    return int(first), int(second or 0)
