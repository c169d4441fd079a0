"""The started system on its embedded default, used as its users do."""

import json
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest
from openai import OpenAI

from cli.client import Client
from cli.stack import Stack

QUESTION = "Explain in a few sentences why the sky is blue."
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def client(stack: Stack) -> OpenAI:
    return OpenAI(base_url=f"{stack.url}/v1", api_key="none", max_retries=0, timeout=180)


def usage(completion: Any) -> dict[str, Any]:
    return dict(completion.usage.model_extra["darwin"])


def test_darwin_improves_on_the_base_answer_and_accounts_for_it(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="darwin",
        messages=[{"role": "system", "content": "Answer plainly."}, {"role": "user", "content": QUESTION}],
        max_tokens=48,
        extra_body={"darwin": {"preset": "paper", "period": 16}},
    )
    darwin = usage(completion)
    assert completion.choices[0].message.content
    assert completion.usage is not None
    assert 0 < completion.usage.completion_tokens <= 49
    assert completion.usage.prompt_tokens > 10
    assert darwin["reward"] >= darwin["base_reward"]
    tokens = darwin["tokens"]
    assert tokens["generated"] == tokens["mutation"] + tokens["kept"] + tokens["discarded"]
    assert tokens["kept"] >= completion.usage.completion_tokens
    assert min(tokens["mutation"], tokens["reward"], darwin["seconds"]["generation"]) > 0
    assert darwin["rounds"] >= 2


@pytest.mark.parametrize("method", ["best-of-n", "mutation-only", "replacement-only", "sample"])
def test_every_method_is_a_model(client: OpenAI, method: str) -> None:
    completion = client.chat.completions.create(
        model=method, messages=[{"role": "user", "content": QUESTION}], max_tokens=30
    )
    darwin = usage(completion)
    assert completion.choices[0].message.content
    assert darwin["method"] == method
    assert (darwin["rounds"] == 0) == (method == "sample")
    assert darwin["tokens"]["mutation"] == 0, "templates cost nothing"


def test_n_distinct_answers_come_best_first(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="best-of-n", messages=[{"role": "user", "content": QUESTION}], max_tokens=30, n=4, temperature=1.0
    )
    texts = [choice.message.content for choice in completion.choices]
    rewards = [choice["reward"] for choice in usage(completion)["choices"]]
    assert len(set(texts)) == len(texts) == 4
    assert rewards == sorted(rewards, reverse=True)


def test_a_stop_string_ends_the_answer_before_it(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="replacement-only",
        messages=[{"role": "user", "content": "Write three short sentences about rain."}],
        max_tokens=80,
        stop=".",
        extra_body={"darwin": {"period": 5}},
    )
    content = completion.choices[0].message.content or ""
    assert "." not in content
    assert completion.choices[0].finish_reason == "stop"


def test_greedy_sampling_repeats(client: OpenAI) -> None:
    def ask() -> str | None:
        return (
            client.chat.completions.create(
                model="sample", messages=[{"role": "user", "content": QUESTION}], max_tokens=12, temperature=0
            )
            .choices[0]
            .message.content
        )

    assert ask() == ask()


def test_embeddings_tell_meanings_apart(client: OpenAI) -> None:
    texts = [QUESTION, "What makes the sky look blue?", "Name three rivers in Peru."]
    found = client.embeddings.create(model="all-minilm-l6-v2", input=texts)
    sky, same, rivers = (each.embedding for each in found.data)
    near, far = (sum(a * b for a, b in zip(sky, other, strict=True)) for other in (same, rivers))
    assert near > 0.8 > 0.3 > far
    assert 0 < found.usage.prompt_tokens < 60
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="all-minilm-l6-v2", input=["short", "word " * 300])
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "input.1")


def test_history_is_seen(client: OpenAI) -> None:
    short = [{"role": "user", "content": "Thanks!"}]
    long = [
        {"role": "user", "content": QUESTION},
        {"role": "assistant", "content": "Because air scatters blue light most."},
        *short,
    ]
    prompt_tokens = []
    for messages in (short, long):
        completion = client.chat.completions.create(model="sample", messages=messages, max_tokens=5)  # type: ignore[call-overload]
        prompt_tokens.append(completion.usage.prompt_tokens)
    assert prompt_tokens[1] > prompt_tokens[0] + 10


def test_streaming_tells_progress_then_the_answer_then_usage(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="darwin",
        messages=[{"role": "user", "content": QUESTION}],
        max_tokens=40,
        stream=True,
        stream_options={"include_usage": True},
        extra_body={"darwin": {"period": 20}},
    )
    progress, content, reported = [], "", None
    for chunk in stream:
        event = (chunk.model_extra or {}).get("darwin") or {}
        if event.get("type"):
            assert not content
            progress.append(event["type"])
        content += "".join(choice.delta.content or "" for choice in chunk.choices)
        reported = chunk.usage or reported
    assert "round.finished" in progress
    assert content
    assert reported is not None
    assert reported.completion_tokens > 0


def test_a_budget_ends_the_search(client: OpenAI) -> None:
    completion = client.chat.completions.create(
        model="replacement-only",
        messages=[{"role": "user", "content": QUESTION}],
        max_tokens=400,
        extra_body={"darwin": {"period": 10, "max_generated_tokens": 100}},
    )
    darwin = usage(completion)
    # Never more; and less by fewer tokens than there are sequences.
    assert 100 - 6 < darwin["tokens"]["generated"] <= 100
    assert darwin["stopped_by"] == "max_generated_tokens"


def test_a_conversation_that_does_not_fit_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(
            model="sample", messages=[{"role": "user", "content": "word " * 20_000}], max_tokens=5
        )
    assert "context" in str(refused.value)
    assert (refused.value.code, refused.value.param) == ("context_length_exceeded", "messages")


def test_an_unknown_reward_profile_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="no reward profile 'kind'") as refused:
        client.chat.completions.create(
            model="sample",
            messages=[{"role": "user", "content": QUESTION}],
            max_tokens=5,
            extra_body={"darwin": {"profile": "kind"}},
        )
    assert refused.value.param == "darwin.profile"


def test_the_terminal_shows_an_evolution(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import app

    options = ["--url", stack.url, "--max-tokens", "30", "--period", "15", "--seed", "3"]
    app(["align", *options, QUESTION], standalone_mode=False)
    shown = capsys.readouterr().out
    assert "round 1" in shown
    assert "base (reward" in shown
    assert "evolved (reward" in shown
    app(["align", "--json", *options, QUESTION], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    assert document["status"] == "succeeded"
    assert document["result"]["choices"][0]["text"]
    assert len(document["rounds"]) == document["result"]["rounds"] > 0
    assert document["usage"]["tokens"]["generated"] > document["usage"]["completion_tokens"] > 0
    assert document["events"][-1]["type"] == "evolution.ended"


def test_gateway_worker_and_mutation_are_light(stack: Stack, client: OpenAI) -> None:
    def loads_torch(pid: int) -> bool:
        return "/torch/" in Path(f"/proc/{pid}/maps").read_text()

    assert loads_torch(stack.pids["reward"])
    for name, most in {"gateway": 150, "orchestrator": 150, "mutation": 250}.items():
        assert psutil.Process(stack.pids[name]).memory_info().rss < most * MIB
        assert not loads_torch(stack.pids[name])


def test_evolutions_are_followed_and_kept(stack: Stack) -> None:
    with Client(stack.url) as evolutions:
        started = evolutions.start(
            {"model": "sample", "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 8}
        )
        types = [event["type"] for event in evolutions.events(started["id"])]
        assert types[0] == "evolution.accepted"
        assert types[-1] == "evolution.ended"
        assert evolutions.get(started["id"])["result"]["choices"][0]["text"]
