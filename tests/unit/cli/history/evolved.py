"""Recordings of random evolutions, made as the orchestrator and the gateway make them."""

import random
from dataclasses import fields, replace
from typing import Any

from hypothesis import strategies as st

from services.gateway.inspector.recordings import recording
from services.orchestrator import next_version
from services.orchestrator.adapters import codec, outcome_json
from services.orchestrator.core import machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import Config, Outcome, Stopped
from shared.methods import Method
from shared.records.attempts import Attempt, Call, StatePart
from shared.records.events import Accepted, Ended, Event
from shared.records.evolution import EvolutionRequest, Failure, Message, Record, Sampling, TraceContext
from shared.records.search import Search
from tests.unit.orchestrator.strategies import INSTRUCTION, World, any_configs

_METHODS: dict[tuple[bool, bool], Method] = {
    (True, True): "darwin",
    (False, True): "replacement-only",
    (True, False): "mutation-only",
    (False, False): "best-of-n",
}


def document(record: Record, events: list[Event], attempts: list[Attempt], operator: bool = True) -> dict[str, Any]:
    """As `GET /v1/evolutions/{id}/recording` answers an operator, or the tenant."""
    return recording(record, events, attempts, operator).model_dump(mode="json")


def request_for(config: Config, seed: int) -> EvolutionRequest:
    """A request whose settings are the config's."""
    method = _METHODS[config.mutate, config.replace] if config.cycles else "sample"
    return EvolutionRequest(
        method=method,
        model=method,
        messages=(Message("system", "Be brief."), Message("user", INSTRUCTION)),
        sampling=Sampling(config.max_tokens, stop=("END",)),
        search=Search(**{each.name: getattr(config, each.name) for each in fields(Search)}),
        seed=seed,
    )


def evolved(
    request: EvolutionRequest,
    order: int = 0,
    pause: float = 0.0,
    stop: float = 0.0,
    most_attempts: int = 10_000,
    end_probability: float = 0.15,
) -> dict[str, Any]:
    """The recording of an evolution whose effects were performed in the order that `order` shuffles them to.

    After each outcome the attempt ends early with probability `pause`, and the search with probability `stop`. After
    `most_attempts` it still runs. The request's wishes are all withheld.
    """
    rng, world = random.Random(order), World(request.seed, end_probability, withheld=request.wishes)
    evolution, begun = machine.begin(config_for(request), request.messages[-1].content, request.seed)
    events: list[Event] = [Accepted(request.method), *begun]
    attempts: list[Attempt] = []
    told: list[Outcome] = []
    cycle, round_, checkpoint = evolution.cycle, evolution.round, evolution.checkpoint
    pending: list[Outcome] = []
    while not evolution.finished and len(attempts) < most_attempts:
        pending = pending or world.perform(rng.choice(machine.next_effects(evolution)))
        outcome = Stopped("deadline_ms") if rng.random() < stop else pending.pop(0)
        evolution, more = machine.apply(evolution, outcome)
        told.append(outcome)
        events += more
        if evolution.checkpoint != checkpoint or rng.random() < pause:
            attempts.append(_attempt(attempts, cycle, round_, told, failed=evolution.checkpoint == checkpoint))
            cycle, round_, checkpoint, told = evolution.cycle, evolution.round, evolution.checkpoint, []
    trace = TraceContext("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", True)
    record = Record("evo_1", len(attempts), "running", 0.0, request, codec.dump(evolution), trace=trace)
    if not evolution.finished:
        return document(record, events, attempts)
    record = next_version.with_answer(record, evolution)
    events.append(Ended(record.status, evolution.stopped_by, record.error))
    return document(record, events, attempts)


def _attempt(before: list[Attempt], cycle: int, round_: int, told: list[Outcome], failed: bool) -> Attempt:
    version = len(before) + 1
    base = StatePart(-1, version + 0.3)
    error = Failure("Unavailable", "generation is away") if failed else None
    return Attempt(
        id=f"{version:032x}",
        version=version,
        cycle=cycle,
        round=round_,
        started_at=float(version),
        ended_at=version + 0.5,
        calls=(
            Call("generation", "a" * 16, cycle, round_, version + 0.1, version + 0.3, (base,), tokens=40),
            Call("reward", "b" * 16, cycle, round_, version + 0.3, version + 0.4, error=error and error.code),
        ),
        outcomes=tuple(map(outcome_json.dump_outcome, told)),
        error=error,
        after=before[-1].id if before and before[-1].error else "",
    )


@st.composite
def recordings(draw: st.DrawFn) -> dict[str, Any]:
    """Recordings of every method, with retries and early ends."""
    request = request_for(draw(any_configs()), draw(st.integers(0, 2**32)))
    request = replace(request, n=draw(st.integers(1, min(3, 1 + request.search.cycles * request.search.mutants))))
    return evolved(
        request,
        order=draw(st.integers(0, 2**16)),
        pause=draw(st.sampled_from([0.0, 0.1])),
        stop=draw(st.sampled_from([0.0, 0.02])),
        end_probability=draw(st.sampled_from([0.0, 0.02, 0.15])),
    )
