"""Bodies of lists and recordings, as /openapi.json documents them, and from what they are made."""

from dataclasses import asdict
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import serializers
from services.gateway.api.responses import Evolution
from services.gateway.inspector.differences import Kind
from shared.records.attempts import Attempt, Summary
from shared.records.evolution import Event, Method, Record, Status, StoppedBy


class _Resource(BaseModel):
    model_config = ConfigDict(frozen=True)


class EvolutionSummary(_Resource):
    """An evolution in one line. Rewards are null until known; times are Unix seconds."""

    id: str
    object: Literal["evolution.summary"] = "evolution.summary"
    tenant: str
    method: Method
    status: Status
    created_at: float
    finished_at: float | None
    instruction: str = Field(description="The last user turn, cut.")
    trace_id: str | None
    reward: float | None = Field(description="Of the answer.")
    base_reward: float | None = Field(description="Of the plain response to the original conversation.")
    gain: float | None = Field(description="reward - base_reward.")
    seconds: float | None = Field(description="From acceptance to the end.")
    rounds: int
    generated_tokens: int
    stopped_by: StoppedBy | None
    error: str | None = Field(description="The error's name, where it failed.")


class EvolutionList(_Resource):
    """A page of evolutions, those last accepted first."""

    object: Literal["list"] = "list"
    data: list[EvolutionSummary]
    has_more: bool = Field(description="Whether there may be more; a page may be empty and still have more behind it.")
    last_id: str | None = Field(description="The next page is had with this as `after`.")


class Recording(Evolution):
    """An evolution and everything that is known of how it came about: the file that is kept of it.

    `darwin export --from` and `darwin replay` read it.
    """

    version: int = Field(description="Grows with each save.")
    events: list[Event]
    attempts: list[Attempt] = Field(
        description="What each task did, oldest first: its calls, and the outcomes that the core was told."
    )


class DiffPiece(_Resource):
    """A piece of both texts, or of one of them."""

    kind: Kind
    text: str


class AnswerDiff(_Resource):
    """Base response against answer, word by word: joined in order, `same` and `base` pieces give the one, `same` and
    `evolved` pieces the other."""

    object: Literal["evolution.diff"] = "evolution.diff"
    pieces: list[DiffPiece]


class Viewer(_Resource):
    """What the inspector needs to know of the caller and of this deployment."""

    object: Literal["viewer"] = "viewer"
    tenant: str
    all_tenants: bool = Field(description="Whether other tenants' evolutions can be read too.")
    trace_url: str | None = Field(description="Where traces are seen; `{trace_id}` stands for the id.")


def summary(found: Summary) -> EvolutionSummary:
    """A line of the list."""
    fields = asdict(found) | {"trace_id": found.trace_id or None}
    return EvolutionSummary(**fields, gain=found.gain, seconds=found.seconds)


def recording(record: Record, events: list[Event], attempts: list[Attempt]) -> Recording:
    """The evolution as it stands, with its whole history."""
    evolution = dict(serializers.evolution(record))
    return Recording.model_construct(**evolution, version=record.version, events=events, attempts=attempts)
