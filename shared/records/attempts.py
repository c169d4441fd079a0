"""How an evolution came about, beside what it decided: its place in a trace, each attempt at a round, each call.

The orchestrator writes these with every save; the inspector's waterfall, the spans of the trace, `darwin show` and
`darwin replay` are all read from them. Times are Unix seconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from shared.records.evolution import Failure

Stage = Literal["mutation", "generation", "reward"]

LOST = "Lost"
"""Stands for the error of a call that nobody has seen to its end, because its worker ended first."""


@dataclass(frozen=True)
class StatePart:
    """A state's share in a call: when its result came and what it took.

    `state` is its index, -1 for the base state. `tokens` were sampled (generation), `cached_tokens` not computed again;
    `queued_s` is how long the engine let it wait, None where the engine does not say. `served_by` names the endpoint
    that decoded it, where there are several.
    """

    state: int
    ended_at: float
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    queued_s: float | None = None
    finish: str | None = None
    reward: float | None = None
    served_by: str = ""


@dataclass(frozen=True)
class Call:
    """One call to a stage, for some states of a round.

    `span_id` is its span's (16 hex digits), the parent of the stage's own spans. `error` names the class of
    `shared.errors` that it ended with. `final` marks the scoring of complete responses at the end of a cycle. `tokens`
    were sampled (mutation, generation) or computed (reward) in it.

    An attempt that is saved on its way has a piece of each call under way, which `goes_on`: what came of it since the
    save before. So the tokens of an attempt's calls are those that are charged with it. The pieces of a call, which
    share its `span_id`, are put together by `whole_calls`.
    """

    stage: Stage
    span_id: str
    cycle: int
    round: int
    started_at: float
    ended_at: float
    parts: tuple[StatePart, ...] = ()
    tokens: int = 0
    final: bool = False
    error: str | None = None
    goes_on: bool = False


@dataclass(frozen=True)
class Attempt:
    """What one task did to an evolution, stored in one step with the version that it made.

    `id` is 32 hex digits, the first 16 of which are its span's id. `outcomes` are the orchestrator's own JSON: every
    outcome that the core was given, in that order, so that they can be applied again. `events` says how many of the
    evolution's events were stored with it. `lost` are attempts at the same version whose worker ended. `after` is the
    attempt that failed or paused before this one went on from it; it is empty where a round begins. `worker` is
    host:pid. Times are Unix seconds.
    """

    id: str
    version: int
    cycle: int
    round: int
    started_at: float
    ended_at: float
    worker: str = ""
    calls: tuple[Call, ...] = ()
    outcomes: tuple[Any, ...] = ()
    events: int = 0
    error: Failure | None = None
    after: str = ""
    lost: tuple["LostAttempt", ...] = ()


@dataclass(frozen=True)
class LostAttempt:
    """An attempt of a worker that ended, or was held for dead: all that is known of it."""

    id: str
    started_at: float


def whole_calls(attempts: Sequence[Attempt]) -> list[tuple[Call, ...]]:
    """For each of an evolution's attempts the calls that began in it, each from its beginning to its end.

    A call is `LOST` where the next attempt knows nothing of it any more. One of the last attempt may go on.
    """
    begun: list[list[Call]] = [[] for _ in attempts]
    under_way: dict[str, tuple[int, Call]] = {}
    for number, attempt in enumerate(attempts):
        before, under_way = under_way, {}
        for piece in attempt.calls:
            began_in, earlier = before.pop(piece.span_id, (number, None))
            call = _together(earlier, piece) if earlier else piece
            if call.goes_on:
                under_way[call.span_id] = began_in, call
            else:
                begun[began_in].append(call)
        for began_in, lost in before.values():
            begun[began_in].append(replace(lost, error=LOST, goes_on=False))
    for began_in, call in under_way.values():
        begun[began_in].append(call)
    return [tuple(calls) for calls in begun]


def _together(earlier: Call, later: Call) -> Call:
    parts = {part.state: part for part in earlier.parts}
    for part in later.parts:
        tokens = parts[part.state].tokens if part.state in parts else 0
        parts[part.state] = replace(part, tokens=tokens + part.tokens)
    return replace(
        later, started_at=earlier.started_at, tokens=earlier.tokens + later.tokens, parts=tuple(parts.values())
    )
