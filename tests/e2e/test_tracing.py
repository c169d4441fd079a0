"""The trace of an evolution, as the OTLP that every process sends; on real models, and on simulated ones where it is
about what is sampled.
"""

import secrets
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis

from cli.client import Client
from cli.stack import Stack, StackSettings
from cli.stack.ports import free_port
from tests.e2e.test_logs import TOO_LONG
from tests.otlp import Received, Traces, children, paths

PROMPT = "Explain tides to a zebra-loving child."
GENERATE = "darwin-generation darwin.v1.GenerationService/Generate"
SCORE = "darwin-reward darwin.v1.RewardService/Score"
MUTATE = "darwin-mutation darwin.v1.MutationService/Mutate"


def body(**search: Any) -> dict[str, Any]:
    return {
        "model": "darwin",
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": 30,
        "darwin": {"period": 10, "mutants": 3} | search,
    }


def tree_of(method: str) -> set[str]:
    """Every path that there must be, and no other."""
    root = f"darwin-gateway POST {method}"
    evolution = f"{root} > darwin-orchestrator evolution"
    cycle = f"{evolution} > darwin-orchestrator cycle"
    round_ = f"{cycle} > darwin-orchestrator round"
    generate = f"{round_} > darwin-orchestrator generate"
    return {
        root,
        evolution,
        cycle,
        f"{cycle} > darwin-orchestrator mutate",
        f"{cycle} > darwin-orchestrator mutate > {MUTATE}",
        round_,
        generate,
        f"{generate} > darwin-orchestrator state",
        f"{generate} > {GENERATE}",
        f"{generate} > {GENERATE} > darwin-generation llm_request",
        f"{round_} > darwin-orchestrator score",
        f"{round_} > darwin-orchestrator score > {SCORE}",
        f"{round_} > darwin-orchestrator select",
    }


def evolution_reported(spans: list[Received]) -> bool:
    return any(span.name == "evolution" for span in spans)


def check_counts(spans: list[Received], cycles: int, engine_spans: bool = True) -> None:
    """How many of each there are; calls are as many as what completed together makes them, states are not."""
    below, by_id = children(spans), {span.span_id: span for span in spans}
    assert Counter(span.name for span in spans if span.name in ("evolution", "cycle", "mutate")) == {
        "evolution": 1,
        "cycle": cycles,
        "mutate": cycles,
    }
    # On a slow machine a round is saved on its way, and has several spans.
    rounds: dict[tuple[object, object], list[Received]] = {}
    for span in spans:
        if span.name == "round" and not span.failed:
            place = (span.attributes["darwin.cycle"], span.attributes["darwin.round"])
            rounds.setdefault(place, []).extend(below[span.span_id])
    for own in rounds.values():
        assert Counter(span.name for span in own)["select"] == 1
        states = [s for c in own if c.name == "generate" for s in below[c.span_id]]
        ids = [s.attributes["darwin.state"] for s in states if s.name == "state" and s.attributes["darwin.state"] >= 0]
        assert len(ids) == len(set(ids))
        scored = {n for c in own if c.name == "score" for n in c.attributes["darwin.states"] if n >= 0}
        # Responses that have ended are not scored again.
        assert set(ids) <= scored <= set(range(3))
    for call in (span for span in spans if span.name in ("mutate", "generate", "score")):
        served = [span for span in below[call.span_id] if span.name != "state"]
        assert len(served) == 1, (call, served)
        if call.name == "generate" and engine_spans:
            told = Counter(span.name for span in below[call.span_id] + below[served[0].span_id])
            assert told["state"] == told["llm_request"] > 0
    assert all(span.parent_id in by_id for span in spans if span.service != "darwin-gateway")


def test_one_trace_has_spans_of_every_process(stack: Stack, traces: Traces) -> None:
    trace_id, parent = secrets.token_hex(16), secrets.token_hex(8)
    answer = httpx.post(
        f"{stack.url}/v1/chat/completions",
        json=body(cycles=2),
        headers={"traceparent": f"00-{trace_id}-{parent}-01"},
        timeout=200,
    )
    assert answer.status_code == 200
    own = answer.headers["x-darwin-trace-id"]
    assert answer.json()["darwin"]["trace_id"] == own != trace_id
    spans = traces.until(own, evolution_reported)
    assert traces.of(trace_id) == []
    assert paths(spans) == tree_of("/v1/chat/completions")
    check_counts(spans, cycles=2)
    (root,) = [span for span in spans if span.service == "darwin-gateway"]
    assert (root.parent_id, root.links) == ("", (parent,))
    (evolution,) = [span for span in spans if span.name == "evolution"]
    usage = answer.json()["usage"]
    told = evolution.attributes
    assert told["darwin.evolution.id"] == answer.headers["x-darwin-evolution-id"]
    assert (told["darwin.status"], told["darwin.rounds"]) == ("succeeded", usage["darwin"]["rounds"])
    assert told["darwin.reward"] == usage["darwin"]["reward"]
    assert told["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    states = [span.attributes for span in spans if span.name == "state"]
    assert sum(state["gen_ai.usage.output_tokens"] for state in states) == usage["darwin"]["tokens"]["generated"]
    assert sum(state["gen_ai.usage.cache_read.input_tokens"] for state in states) == usage["darwin"]["tokens"]["cached"]
    assert all(state["gen_ai.response.finish_reasons"][0] in ("length", "stop") for state in states)
    assert all(state["darwin.queue.seconds"] >= 0 for state in states)
    assert not [span for span in spans if span.failed]
    assert "zebra" not in repr(spans), "no text in spans"


def holder(url: str, evolution_id: str) -> str:
    """The id of the attempt that was under way; its lease outlives its worker for a while."""
    with redis.Redis.from_url(url, decode_responses=True) as store:
        found = store.get(f"darwin:evo:{{{evolution_id}}}:lease")
    assert found
    return str(found)


def test_a_worker_killed_midway_leaves_one_whole_trace(stack: Stack, traces: Traces) -> None:
    with Client(stack.url) as client:
        # Long enough, whatever the model says, that it is under way when its worker is killed.
        started = client.start(body(period=20, mutants=3) | {"max_tokens": 160, "ignore_eos": True})
        evolution_id, trace_id = started["id"], started["trace_id"]
        events = client.events(evolution_id)
        while next(events)["type"] != "round.finished":
            pass
        for worker in ("orchestrator", "orchestrator-2"):
            stack.kill(worker)
        lost = holder(stack.redis_url, evolution_id)[:16]
        time.sleep(0.5)  # services notice that their caller is gone
        stack.restart("orchestrator-2")
        assert next(event for event in events if event["type"] == "evolution.ended")["status"] == "succeeded"
    stack.restart("orchestrator")
    stack.await_ready("orchestrator", "orchestrator-2")
    spans = traces.until(trace_id, evolution_reported)
    by_id = {span.span_id: span for span in spans}
    # What the services did for the lost worker is reported by them, under calls that nobody else knows of.
    orphans = [span for span in spans if span.parent_id not in by_id and span.service != "darwin-gateway"]
    assert {span.label for span in orphans} <= {GENERATE, SCORE}
    below = children(spans)
    theirs = {span.span_id for orphan in orphans for span in (orphan, *below[orphan.span_id])}
    whole = [span for span in spans if span.span_id not in theirs]
    assert paths(whole) == tree_of("/v1/evolutions")
    check_counts(whole, cycles=1)
    (failed,) = [span for span in whole if span.failed]
    assert (failed.name, failed.span_id) == ("round", lost)
    (repeated,) = [span for span in whole if span.links]
    assert repeated.links == (lost,)
    assert repeated.attributes["darwin.round"] == failed.attributes["darwin.round"]


@pytest.fixture(scope="module")
def unsampled(traces: Traces) -> Iterator[Stack]:
    sampling = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"}
    slow = {"DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "40", "DARWIN_GENERATION_SIMULATED_RESPONSE_TOKENS": "0"}
    told = {"DARWIN_TRACE_SLOW_S": "3", "DARWIN_TRACE_TEXTS": "true"}
    with Stack(StackSettings.simulated(traces.env | sampling | slow | told)) as running:
        yield running
        running.check()


def test_unsampled_evolutions_that_failed_or_were_slow_are_exported_with_texts_where_that_is_asked_for(
    unsampled: Stack, traces: Traces
) -> None:
    chat = f"{unsampled.url}/v1/chat/completions"
    quick = httpx.post(chat, json=body() | {"max_tokens": 10}, timeout=30)
    failed = httpx.post(chat, json=body() | {"messages": TOO_LONG}, timeout=30)
    slow = httpx.post(chat, json=body() | {"max_tokens": 160}, timeout=60)
    assert [answer.status_code for answer in (quick, failed, slow)] == [200, 400, 200]
    spans = traces.until(slow.headers["x-darwin-trace-id"], evolution_reported)
    request = "darwin-gateway POST /v1/chat/completions > "
    below = {path.removeprefix(request) for path in tree_of("/v1/chat/completions") if path.startswith(request)}
    assert paths(spans) == {
        path for path in below if all(label.startswith("darwin-orchestrator") for label in path.split(" > "))
    }
    (evolution,) = [span for span in spans if span.name == "evolution"]
    assert evolution.attributes["darwin.instruction"] == PROMPT
    assert evolution.attributes["darwin.answer"] == slow.json()["choices"][0]["message"]["content"]
    kept = traces.until(failed.headers["x-darwin-trace-id"], evolution_reported)
    assert {span.service for span in kept} == {"darwin-orchestrator"}
    assert "darwin-orchestrator round" in {span.label for span in kept}
    (evolution,) = [span for span in kept if span.name == "evolution"]
    assert evolution.failed
    assert evolution.attributes["error.type"] == "ContextLengthExceeded"
    assert failed.json()["error"]["darwin"] == {
        "trace_id": evolution.trace_id,
        "evolution_id": evolution.attributes["darwin.evolution.id"],
    }
    assert traces.of(quick.headers["x-darwin-trace-id"]) == []


def test_a_collector_that_is_away_changes_nothing() -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    with Stack(StackSettings.simulated(away)) as running:
        answer = httpx.post(f"{running.url}/v1/chat/completions", json=body(), timeout=30)
        assert answer.status_code == 200
        time.sleep(1)  # spans are on their way to nobody
        # A process that does not end by itself is killed.
        assert set(running.stop().values()) == {0}
