"""An evolution's spans, made from its record, attempts and events: the same ones give the same spans, ids included.

    evolution                   from acceptance to end; a child of the request that started it
    └─ cycle
       ├─ mutate
       └─ round                 an attempt at a round; a repeated or resumed one is linked to the one before it
          ├─ generate
          │  └─ state           one for each state of the call
          ├─ score
          └─ select             survivors, replacements, archive

Names follow OpenTelemetry's `gen_ai.*` where there is one.
"""

import hashlib
import math
from collections.abc import Iterator, Sequence

from opentelemetry.trace import SpanKind

from shared.records.attempts import Attempt, Call, Stage, StatePart
from shared.records.events import CycleFinished, Event, RoundFinished
from shared.records.evolution import Record
from shared.records.turns import instruction_of
from shared.telemetry.tracing import EndedSpan
from shared.text.tool_turns import with_calls

_LOST = "the worker ended before the round did"
_NAMES: dict[Stage, str] = {"mutation": "mutate", "generation": "generate", "reward": "score"}


def evolution_span_id(evolution_id: str) -> str:
    """The id of the evolution's span, in 16 hex digits."""
    return _id(evolution_id)


def attempt_spans(
    record: Record, attempt: Attempt, calls: Sequence[Call], events: Sequence[Event], texts: bool
) -> Iterator[EndedSpan]:
    """The spans of an attempt that was saved, and of those attempts that were lost before it.

    `calls` are those that began in it, whole, and `events` those that it saved. With `texts` the spans have the states'
    texts as attributes.
    """
    parent = _cycle_span_id(record.id, attempt.cycle)
    for lost in attempt.lost:
        place = {"darwin.cycle": attempt.cycle, "darwin.round": attempt.round}
        yield EndedSpan(
            "round", _attempt_span_id(lost.id), parent, lost.started_at, attempt.started_at, place, error=_LOST
        )
    yield _round(attempt, parent)
    for call in calls:
        yield from _call(call, parent if call.stage == "mutation" else _attempt_span_id(attempt.id))
    for number, event in enumerate(event for event in events if isinstance(event, RoundFinished)):
        ended = next((one for one in events if isinstance(one, CycleFinished) and one.cycle == event.cycle), None)
        yield _select(attempt, event, ended, number, texts)


def closing_spans(record: Record, attempts: Sequence[Attempt], texts: bool) -> Iterator[EndedSpan]:
    """The spans of an evolution that has ended, and of its cycles; `texts` as for `attempt_spans`."""
    for cycle in sorted({attempt.cycle for attempt in attempts} - {0}):
        of_cycle = [attempt for attempt in attempts if attempt.cycle == cycle]
        begun = [attempt.started_at for attempt in of_cycle]
        since = min(begun + [lost.started_at for attempt in of_cycle for lost in attempt.lost])
        until = max(attempt.ended_at for attempt in of_cycle)
        place = {"darwin.cycle": cycle}
        yield EndedSpan("cycle", _cycle_span_id(record.id, cycle), evolution_span_id(record.id), since, until, place)
    yield _evolution(record, texts)


def _round(attempt: Attempt, parent: str) -> EndedSpan:
    attributes = {
        "darwin.cycle": attempt.cycle,
        "darwin.round": attempt.round,
        "darwin.version": attempt.version,
        "darwin.worker": attempt.worker,
        "error.type": attempt.error.code if attempt.error else None,
    }
    before = [lost.id for lost in attempt.lost] + ([attempt.after] if attempt.after else [])
    links = tuple(map(_attempt_span_id, before))
    error = attempt.error.code if attempt.error else None
    began, ended = attempt.started_at, attempt.ended_at
    return EndedSpan("round", _attempt_span_id(attempt.id), parent, began, ended, attributes, links=links, error=error)


def _call(call: Call, parent: str) -> Iterator[EndedSpan]:
    attributes = {
        "darwin.cycle": call.cycle,
        "darwin.round": call.round,
        "darwin.states": [part.state for part in call.parts],
        "darwin.final": call.final if call.stage == "reward" else None,
        "darwin.rewards": [part.reward for part in call.parts if part.reward is not None] or None,
        "darwin.reward.computed_tokens": call.tokens if call.stage == "reward" else None,
        "gen_ai.operation.name": "chat" if call.stage == "generation" else None,
        "gen_ai.usage.output_tokens": call.tokens if call.stage != "reward" else None,
        "error.type": call.error,
    }
    name = _NAMES[call.stage]
    yield EndedSpan(
        name, call.span_id, parent, call.started_at, call.ended_at, attributes, SpanKind.CLIENT, error=call.error
    )
    if call.stage == "generation":
        for part in call.parts:
            yield _state(call, part)


def _state(call: Call, part: StatePart) -> EndedSpan:
    attributes = {
        "darwin.state": part.state,
        "gen_ai.usage.input_tokens": part.prompt_tokens,
        "gen_ai.usage.output_tokens": part.tokens,
        "gen_ai.usage.cache_read.input_tokens": part.cached_tokens,
        "darwin.queue.seconds": part.queued_s,
        "darwin.served_by": part.served_by or None,
        "gen_ai.response.finish_reasons": [part.finish] if part.finish else None,
    }
    return EndedSpan("state", _id(call.span_id, part.state), call.span_id, call.started_at, part.ended_at, attributes)


def _select(attempt: Attempt, event: RoundFinished, ended: CycleFinished | None, number: int, texts: bool) -> EndedSpan:
    """The span of a decision. It takes no time worth measuring, so its span reaches from the last score to the save."""
    scored = max((call.ended_at for call in attempt.calls), default=attempt.ended_at)
    attributes = {
        "darwin.cycle": event.cycle,
        "darwin.round": event.round,
        # A span's list has one type: a state that is still thinking has no reward.
        "darwin.rewards": [math.nan if reward is None else reward for reward in event.rewards],
        "darwin.survivors": list(event.survivors),
        "darwin.replaced": [item.state for item in event.replacements],
        "darwin.donors": [item.donor for item in event.replacements],
        "darwin.finished": list(event.finished),
        "darwin.archive.size": len(ended.archive) if ended else None,
        "darwin.reward.best": ended.best_reward if ended else None,
        "darwin.texts": list(event.texts) if texts else None,
    }
    span_id = _id(attempt.id, "select", number)
    return EndedSpan("select", span_id, _attempt_span_id(attempt.id), scored, attempt.ended_at, attributes)


def _evolution(record: Record, texts: bool) -> EndedSpan:
    request, result = record.request, record.result
    best = result.choices[0] if result and result.choices else None
    base = result.base if result else None
    attributes = {
        "darwin.evolution.id": record.id,
        "darwin.method": request.method,
        "darwin.status": record.status,
        "darwin.profile": request.profile or None,
        "darwin.profile_owner": request.profile_owner or None,
        "darwin.tenant": request.tenant or None,
        "darwin.stopped_by": result.stopped_by if result else None,
        "darwin.fallback": result.fallback if result else None,
        "darwin.rounds": result.rounds if result else None,
        "darwin.reward": best.reward if best else None,
        "darwin.reward.base": base.reward if base else None,
        "gen_ai.operation.name": "chat",
        "gen_ai.request.max_tokens": request.sampling.max_tokens,
        "gen_ai.request.temperature": request.sampling.temperature,
        "gen_ai.usage.input_tokens": result.tokens.prompt if result else None,
        "gen_ai.usage.output_tokens": best.completion_tokens if best else None,
        "error.type": record.error.code if record.error else None,
    }
    if result:
        spent = ("mutation", "kept", "discarded", "reward", "cached")
        attributes |= {f"darwin.tokens.{kind}": getattr(result.tokens, kind) for kind in spent}
    if texts:
        attributes |= {
            "darwin.instruction": instruction_of(request.messages),
            "darwin.answer": with_calls(best.text, best.tool_calls) if best else None,
        }
    assert record.trace is not None
    return EndedSpan(
        "evolution",
        evolution_span_id(record.id),
        record.trace.span_id,
        record.created_at,
        record.finished_at or record.created_at,
        attributes,
        error=record.error.code if record.error else None,
    )


def _cycle_span_id(evolution_id: str, cycle: int) -> str:
    """The id of a cycle's span; that of the evolution's span for cycle 0, which stands for no cycle."""
    return _id(evolution_id, "cycle", cycle) if cycle else evolution_span_id(evolution_id)


def _attempt_span_id(attempt_id: str) -> str:
    return attempt_id[:16]


def _id(*parts: object) -> str:
    return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
