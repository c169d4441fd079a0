"""How an evolution came about, beside what it decided: its place in a trace, each attempt at a round, each call.

The orchestrator writes these with every save; the inspector's waterfall, the spans of the trace, `darwin show` and
`darwin replay` are all read from them. Times are Unix seconds.
"""

from dataclasses import dataclass
from typing import Any, Literal

from shared.records.evolution import Failure, Method, Record, Status, StoppedBy

Stage = Literal["mutation", "generation", "reward"]

_PREVIEW_CHARACTERS = 160


@dataclass(frozen=True)
class StatePart:
    """A state's share in a call: when its result came and what it took.

    `state` is its index, -1 for the base state. `tokens` were sampled (generation), `cached_tokens` not computed again;
    `queued_s` is how long the engine let it wait, None where the engine does not say.
    """

    state: int
    ended_at: float
    tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    queued_s: float | None = None
    finish: str | None = None
    reward: float | None = None


@dataclass(frozen=True)
class Call:
    """One call to a stage, for some states of a round.

    `span_id` is its span's (16 hex digits), the parent of the stage's own spans. `error` names the class of
    `shared.errors` that it ended with. `final` marks the scoring of complete responses at the end of a cycle. `tokens`
    were sampled (mutation, generation) or computed (reward) in it.
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


@dataclass(frozen=True)
class Summary:
    """What a list shows of an evolution. `instruction` is cut; rewards are None until known."""

    id: str
    tenant: str
    method: Method
    status: Status
    created_at: float
    instruction: str
    trace_id: str = ""
    finished_at: float | None = None
    reward: float | None = None
    base_reward: float | None = None
    rounds: int = 0
    generated_tokens: int = 0
    stopped_by: StoppedBy | None = None
    error: str | None = None

    @property
    def gain(self) -> float | None:
        """Reward over the base response's; None where one of them is not known."""
        return None if self.reward is None or self.base_reward is None else self.reward - self.base_reward

    @property
    def seconds(self) -> float | None:
        """From acceptance to the end; None while it runs."""
        return None if self.finished_at is None else self.finished_at - self.created_at


def summary_of(record: Record) -> Summary:
    """The record in one line."""
    request, result = record.request, record.result
    best = result.choices[0] if result and result.choices else None
    return Summary(
        id=record.id,
        tenant=request.tenant,
        method=request.method,
        status=record.status,
        created_at=record.created_at,
        instruction=" ".join(request.messages[-1].content.split())[:_PREVIEW_CHARACTERS],
        trace_id=record.trace.trace_id if record.trace else "",
        finished_at=record.finished_at,
        reward=best.reward if best else None,
        base_reward=result.base.reward if result and result.base else None,
        rounds=result.rounds if result else 0,
        generated_tokens=result.tokens.generated if result else 0,
        stopped_by=result.stopped_by if result else None,
        error=record.error.code if record.error else None,
    )
