"""The bodies of lists, recordings and differences, and how each is made from what the store holds."""

import re
from dataclasses import asdict
from difflib import SequenceMatcher
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.api import outside, serializers
from services.gateway.api.responses import Evolution
from shared.methods import Method
from shared.records.attempts import Attempt
from shared.records.events import Event
from shared.records.evolution import Record, Status, StoppedBy
from shared.records.summary import Summary

PieceKind = Literal["same", "base", "evolved"]

_WORDS = re.compile(r"\w+|\s+|[^\w\s]")


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
    """An evolution with everything that is recorded of its course; the file that `darwin export --from` and
    `darwin replay` read."""

    version: int = Field(description="Grows with each save.")
    events: list[Event]
    attempts: list[Attempt] = Field(
        description="What each task did, oldest first: its calls, and the outcomes that the core received."
    )


class DiffPiece(_Resource):
    """A piece of both texts (`same`), or of one of them."""

    kind: PieceKind
    text: str


class AnswerDiff(_Resource):
    """The base response against the answer, word by word.

    Joined in order, the pieces `same` and `base` give the base response, `same` and `evolved` the answer.
    """

    object: Literal["evolution.diff"] = "evolution.diff"
    pieces: list[DiffPiece]


class Viewer(_Resource):
    """What the inspector needs to know of the caller and of this deployment."""

    object: Literal["viewer"] = "viewer"
    tenant: str
    all_tenants: bool = Field(description="Whether other tenants' evolutions can be read too.")
    profiles: Literal["all", "own", "none"] = Field(
        description="Which reward profiles the caller may see and change: all, its tenant's own, or none."
    )
    trace_url: str | None = Field(description="Where traces are seen; `{trace_id}` stands for the id.")


def summary(evolution: Summary) -> EvolutionSummary:
    """A line of the list."""
    fields = asdict(evolution) | {"trace_id": evolution.trace_id or None}
    return EvolutionSummary(**fields, gain=evolution.gain, seconds=evolution.seconds)


def recording(record: Record, events: list[Event], attempts: list[Attempt], operator: bool) -> Recording:
    """The evolution as it stands, with its whole history; an `operator` reads its errors in full."""
    evolution = dict(serializers.evolution(record, operator))
    if not operator:
        events = [outside.event_of(event, record.id) for event in events]
        attempts = [outside.attempt_of(attempt, record.id) for attempt in attempts]
    return Recording.model_construct(**evolution, version=record.version, events=events, attempts=attempts)


def answer_diff(base: str, evolved: str) -> AnswerDiff:
    """The difference of two texts in reading order; no piece cuts a word."""
    old, new = _WORDS.findall(base), _WORDS.findall(evolved)
    pieces: list[DiffPiece] = []
    for operation, i, j, k, m in SequenceMatcher(a=old, b=new).get_opcodes():
        if operation == "equal":
            pieces.append(DiffPiece(kind="same", text="".join(old[i:j])))
            continue
        if i < j:
            pieces.append(DiffPiece(kind="base", text="".join(old[i:j])))
        if k < m:
            pieces.append(DiffPiece(kind="evolved", text="".join(new[k:m])))
    return AnswerDiff(pieces=pieces)
