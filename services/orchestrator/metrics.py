"""The orchestrator's metrics: of every save, and of leases, sweeps and the queue."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry.semconv._incubating.attributes.gen_ai_attributes import (
    GEN_AI_OPERATION_NAME,
    GEN_AI_PROVIDER_NAME,
    GEN_AI_REQUEST_MODEL,
    GEN_AI_TOKEN_TYPE,
)
from opentelemetry.semconv._incubating.metrics.gen_ai_metrics import (
    GEN_AI_CLIENT_OPERATION_DURATION,
    GEN_AI_CLIENT_TOKEN_USAGE,
)
from opentelemetry.semconv.attributes.error_attributes import ERROR_TYPE

from services.orchestrator import stage_calls, tenant_metrics
from services.orchestrator.tenant_metrics import label_of
from shared.records.attempts import Attempt
from shared.records.events import Event, RoundFinished
from shared.records.evolution import NO_TOKENS, TERMINAL, Record, Result, Tokens
from shared.records.summary import summary_of
from shared.store.queue import Backlog
from shared.telemetry.labels import Labels
from shared.telemetry.metrics import METER, SECONDS

# The base response is among the candidates, so a gain is never negative; it is 0 where the base response won.
_GAINS = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)
# As OpenTelemetry advises for `gen_ai.client.token.usage`.
_TOKEN_COUNTS = tuple(float(4**power) for power in range(12))

# Versions of reward profiles with a label of their own in this process.
_PROFILES = Labels(100)
_EVOLUTIONS = METER.create_counter("darwin.evolutions", "{evolution}", "Evolutions that ended, by outcome.")
_EVOLUTION_S = METER.create_histogram(
    "darwin.evolution.duration", "s", "From acceptance to the end.", explicit_bucket_boundaries_advisory=SECONDS
)
_ROUNDS = METER.create_counter("darwin.rounds", "{round}", "Rounds saved.")
_ROUND_S = METER.create_histogram(
    "darwin.round.duration", "s", "Of attempts that ended a round.", explicit_bucket_boundaries_advisory=SECONDS
)
_TOKENS = METER.create_counter("darwin.tokens", "{token}", "Tokens of evolutions that ended, by what became of them.")
_GAIN = METER.create_histogram(
    "darwin.reward.gain",
    "{reward}",
    "Reward of the answer over the base response's.",
    explicit_bucket_boundaries_advisory=_GAINS,
)
_ATTEMPTS_FAILED = METER.create_counter("darwin.attempts.failed", "{attempt}", "Attempts that ended by an error.")
_ATTEMPTS_LOST = METER.create_counter("darwin.attempts.lost", "{attempt}", "Attempts whose worker ended.")
_LEASES_LOST = METER.create_counter("darwin.leases.lost", "{lease}", "Rounds that somebody else took or saved.")
_STALLED = METER.create_counter("darwin.evolutions.stalled", "{evolution}", "Messages that the sweep sent again.")
_CLIENT_S = METER.create_histogram(
    GEN_AI_CLIENT_OPERATION_DURATION, "s", "Of requests answered.", explicit_bucket_boundaries_advisory=SECONDS
)
_CLIENT_TOKENS = METER.create_histogram(
    GEN_AI_CLIENT_TOKEN_USAGE, "{token}", "Of requests answered.", explicit_bucket_boundaries_advisory=_TOKEN_COUNTS
)
_DEPTH = METER.create_gauge(
    "darwin.queue.depth", "{message}", "Messages that no worker has taken; all report the same."
)
_AGE = METER.create_gauge("darwin.queue.age", "s", "Of the oldest message that no worker has taken; likewise.")
_ACTIVE = METER.create_gauge(
    "darwin.evolutions.active", "{evolution}", "Queued or running; all workers report the same."
)

_ROUNDS_ACTIVE = METER.create_up_down_counter("darwin.rounds.active", "{round}", "Rounds that this worker performs.")


def begin() -> None:
    """Reports 0 for counters of events that may never happen, so that they exist from the start."""
    for counter in (_ATTEMPTS_FAILED, _ATTEMPTS_LOST, _LEASES_LOST, _STALLED):
        counter.add(0)
    stage_calls.begin_metrics()
    _ROUNDS_ACTIVE.add(0)
    tenant_metrics.waiting(0, {})


@contextmanager
def round_active() -> Iterator[None]:
    """Counts a round as active while the context lasts."""
    _ROUNDS_ACTIVE.add(1)
    try:
        yield
    finally:
        _ROUNDS_ACTIVE.add(-1)


def saved(
    record: Record, events: tuple[Event, ...], attempt: Attempt, round_s: float, tokens: Tokens = NO_TOKENS
) -> None:
    """Counts a save: a version of the record, the events that are new in it, and the attempt that made it. `round_s` is
    how long the round has taken, `tokens` are those of an evolution that has ended without a result.
    """
    method = {"method": record.request.method}
    if rounds := sum(isinstance(event, RoundFinished) for event in events):
        _ROUNDS.add(rounds, method)
        _ROUND_S.record(round_s, method)
    if attempt.error is not None:
        _ATTEMPTS_FAILED.add(1, {ERROR_TYPE: attempt.error.code})
    _ATTEMPTS_LOST.add(len(attempt.lost))
    if record.version == 1:
        tenant_metrics.begun(record, attempt.started_at)
    if record.status in TERMINAL:
        _ended(record, record.result.tokens if record.result else tokens)


def abandoned(error: str) -> None:
    """Counts an evolution that ended because its record cannot be read; `error` names a class of `shared.errors`."""
    _EVOLUTIONS.add(1, {"outcome": "failed", "method": "unknown", "tenant": "", ERROR_TYPE: error})


def lease_lost() -> None:
    """Counts a round that another worker took over, or saved first."""
    _LEASES_LOST.add(1)


def stalled() -> None:
    """Counts a message that the sweep sent again."""
    _STALLED.add(1)


def queued(backlog: Backlog, active: int, waiting: Mapping[str, int]) -> None:
    """Reports what waits in Redis now, and how much of it is `waiting` for the turn of those tenants that have the
    most; `active` evolutions are queued or running.
    """
    tenant_metrics.waiting(backlog.depth, waiting)
    _DEPTH.set(backlog.depth)
    _AGE.set(backlog.age_s)
    _ACTIVE.set(active)


def _ended(record: Record, tokens: Tokens) -> None:
    request, summary = record.request, summary_of(record)
    outcome = {"outcome": record.status, "method": request.method}
    failed = {ERROR_TYPE: record.error.code} if record.error else {}
    tenant = label_of(request.tenant)
    _EVOLUTIONS.add(1, {**outcome, "tenant": tenant, **failed})
    _EVOLUTION_S.record(summary.seconds or 0.0, outcome)
    for kind, count in vars(tokens).items():
        _TOKENS.add(count, {"kind": kind, "tenant": tenant})
    if summary.gain is not None:
        _GAIN.record(summary.gain, {"method": request.method, "profile": _PROFILES.of(request.profile or "default")})
    if record.status == "succeeded" and record.result is not None:
        _answered(record.result, request.method)


def _answered(result: Result, method: str) -> None:
    chat = {GEN_AI_OPERATION_NAME: "chat", GEN_AI_PROVIDER_NAME: "darwin", GEN_AI_REQUEST_MODEL: method}
    _CLIENT_S.record(result.seconds.total, chat)
    _CLIENT_TOKENS.record(result.tokens.prompt, {**chat, GEN_AI_TOKEN_TYPE: "input"})
    sampled = sum(choice.completion_tokens for choice in result.choices)
    _CLIENT_TOKENS.record(sampled, {**chat, GEN_AI_TOKEN_TYPE: "output"})
