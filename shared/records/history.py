"""An evolution with its events as it was written down, by `darwin align --json` or as a recording.

Preference pairs are made from it. Unlike `shared.records.evolution` these classes validate: files come from anywhere.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from shared.records.events import Replacement
from shared.records.evolution import Message, Status


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class RecordedBase(_Value):
    type: Literal["base.scored"]
    text: str
    reward: float | None
    abstained: str = ""
    breaks: str = ""


class RecordedRound(_Value):
    type: Literal["round.finished"]
    cycle: int
    round: int
    texts: tuple[str, ...]
    rewards: tuple[float | None, ...]
    replacements: tuple[Replacement, ...]
    finished: tuple[bool, ...]
    dropped: tuple[int, ...] = ()
    abstained: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()

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


_Used = Annotated[RecordedBase | RecordedRound | CycleEnd, Field(discriminator="type")]
_TYPES = ("base.scored", "round.finished", "cycle.finished")


def _used(events: Any) -> Any:
    """Leaves out the events that pairs are not made from, among them types that this version does not know."""
    if not isinstance(events, list):
        return events
    return [event for event in events if not isinstance(event, dict) or event.get("type") in _TYPES]


class RecordedSettings(_Value):
    """The reward profile of an evolution, as name@version, and the tenant whose own it is, if it is one's."""

    profile: str = ""
    profile_owner: str | None = None


class RecordedEvolution(_Value):
    """An evolution with its events, as `darwin align --json` prints it.

    Rewards may be missing or not finite. Texts with such a reward are in no pair. Files of earlier versions may lack
    settings.

    Raises:
        pydantic.ValidationError: what is validated is no evolution with its events.
    """

    id: str
    status: Status
    messages: tuple[Message, ...] = Field(min_length=1)
    settings: RecordedSettings = RecordedSettings()
    events: Annotated[tuple[_Used, ...], BeforeValidator(_used)]
