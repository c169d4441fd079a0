"""What a stream says of a search's progress: numbers by default, whole events where the caller asks for them."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.records.events import (
    BaseScored,
    CycleFinished,
    CycleStarted,
    Event,
    MutantAccepted,
    PopulationScored,
    RoundFinished,
    WishesWithheld,
)

ProgressMode = Literal["on", "full", "off"]
"""`darwin.progress` of a request."""


def _is_none(value: object) -> bool:
    return value is None


class Progress(BaseModel):
    """An event in numbers, without its texts; what it does not tell is left out."""

    model_config = ConfigDict(frozen=True)

    type: Literal[
        "cycle.started",
        "mutant.accepted",
        "wishes.withheld",
        "base.scored",
        "population.scored",
        "round.finished",
        "cycle.finished",
    ] = Field(description="The event's.")
    cycle: int | None = Field(default=None, exclude_if=_is_none)
    round: int | None = Field(default=None, exclude_if=_is_none)
    state: int | None = Field(default=None, exclude_if=_is_none, description="Which one got its mutant.")
    best_reward: float | None = Field(
        default=None, exclude_if=_is_none, description="Of the states of a round; of the cycle; of the base response."
    )
    tokens: int | None = Field(default=None, exclude_if=_is_none, description="Sampled for what the event tells.")
    states: int | None = Field(default=None, exclude_if=_is_none, description="How many responses there are.")
    finished: int | None = Field(default=None, exclude_if=_is_none, description="How many of them are complete.")
    replacements: int | None = Field(
        default=None, exclude_if=_is_none, description="How many of them took the response of another one."
    )


def reported(event: Event, mode: ProgressMode) -> Event | Progress | None:
    """What a stream tells of an event; None for nothing. Events that hold no texts are told whole."""
    if mode == "off":
        return None
    return event if mode == "full" else _in_numbers(event)


def _in_numbers(event: Event) -> Event | Progress:
    match event:
        case CycleStarted():
            return Progress(type=event.type, cycle=event.cycle)
        case MutantAccepted():
            return Progress(type=event.type, cycle=event.cycle, state=event.state)
        case WishesWithheld():
            return Progress(type=event.type, cycle=event.cycle)
        case BaseScored():
            return Progress(type=event.type, best_reward=event.reward, tokens=event.tokens)
        case PopulationScored():
            return Progress(type=event.type, cycle=event.cycle, round=event.round, states=len(event.rewards))
        case RoundFinished():
            return Progress(
                type=event.type,
                cycle=event.cycle,
                round=event.round,
                best_reward=max((reward for reward in event.rewards if reward is not None), default=None),
                tokens=event.tokens,
                states=len(event.texts),
                finished=sum(event.finished),
                replacements=len(event.replacements),
            )
        case CycleFinished():
            return Progress(
                type=event.type, cycle=event.cycle, best_reward=event.best_reward, states=len(event.rewards)
            )
    return event
