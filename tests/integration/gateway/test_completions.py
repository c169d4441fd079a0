"""`/v1/completions` through OpenAI's SDK, each body and chunk of its declared type."""

import json
from typing import Any

import httpx
import openai
import pytest
from openai.types import Completion

METHODS = ["sample", "best-of-n", "replacement-only", "darwin"]


def strictly(body: bytes | str) -> Completion:
    return Completion.model_validate_json(body, strict=True)


@pytest.mark.parametrize("model", METHODS)
def test_continues_a_prompt(client: openai.OpenAI, model: str) -> None:
    raw = client.completions.with_raw_response.create(model=model, prompt="Once upon a time", temperature=0)
    answer = strictly(raw.content)
    evolution_id = raw.headers["x-darwin-evolution-id"]
    assert answer.id == "cmpl-" + evolution_id.removeprefix("evo_")
    assert (answer.object, answer.model) == ("text_completion", model)
    assert [(choice.index, choice.text, choice.finish_reason) for choice in answer.choices] == [(0, "answer 0", "stop")]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (21, 10, 31)
    evolution = client.get(f"/evolutions/{evolution_id}", cast_to=httpx.Response).json()
    assert evolution["messages"] == [{"role": "user", "content": "Once upon a time"}]
    assert evolution["settings"]["max_tokens"] == 16
    warnings = (answer.model_extra or {})["darwin"]["warnings"]
    assert [("not rewritten" in warning) for warning in warnings] == ([True] if model == "darwin" else [])


@pytest.mark.parametrize("prompt", ["Why?", ["Why?"], [5, 6, 7], [[5, 6, 7]]])
def test_takes_one_prompt_in_each_form(client: openai.OpenAI, prompt: Any) -> None:
    assert client.completions.create(model="sample", prompt=prompt).choices[0].text == "answer 0"


@pytest.mark.parametrize("prompts", [["Once", "Twice"], [[5, 6], [7]], ["Once", [7]]])
def test_several_prompts_are_continued_in_their_order(client: openai.OpenAI, prompts: Any) -> None:
    raw = client.completions.with_raw_response.create(model="best-of-n", prompt=prompts, n=2, user="n=2", best_of=2)
    answer = strictly(raw.content)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    ids = [(choice.model_extra or {})["darwin"]["evolution_id"] for choice in answer.choices]
    assert ids[0] == ids[1] == raw.headers["x-darwin-evolution-id"]
    assert ids[2] == ids[3] != ids[0]
    asked = [client.get(f"/evolutions/{each}", cast_to=httpx.Response).json()["messages"] for each in ids[::2]]
    texts = [prompt if isinstance(prompt, str) else " ".join(map(str, prompt)) for prompt in prompts]
    assert [conversation[0]["content"] for conversation in asked] == texts
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (42, 42)


def test_several_prompts_are_streamed_one_after_the_other(client: openai.OpenAI) -> None:
    stream = client.completions.create(
        model="sample",
        prompt=["Once", "Twice", "Thrice"],
        stream=True,
        stream_options={"include_usage": True},
        user="text=One two.",
    )
    texts = ["", "", ""]
    usage = None
    for chunk in stream:
        usage = chunk.usage
        for choice in chunk.choices:
            texts[choice.index] += choice.text
    assert texts == ["One two."] * 3
    assert usage is not None
    assert usage.completion_tokens == 30


def test_a_key_of_several_prompts_gives_the_same_evolutions(client: openai.OpenAI) -> None:
    calls = [
        client.completions.create(
            model="sample", prompt=["Once", "Twice"], extra_headers={"idempotency-key": "several-prompts"}
        )
        for _ in range(2)
    ]
    first, second = [[(choice.model_extra or {})["darwin"] for choice in call.choices] for call in calls]
    assert first == second
    assert first[0] != first[1]


@pytest.mark.parametrize("model", METHODS)
async def test_streams(http: httpx.AsyncClient, model: str) -> None:
    body = {
        "model": model,
        "prompt": "Once",
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "text=One two three four five six.",
    }
    lines = [line.removeprefix("data: ") for line in (await http.post("/v1/completions", json=body)).text.splitlines()]
    data = [line for line in lines if line and not line.startswith(":")]
    assert data[-1] == "[DONE]"
    chunks = [json.loads(line) for line in data[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"text_completion"}
    assert "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]) == body["user"].partition("=")[2]  # type: ignore[attr-defined]
    ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
    assert ends == ["stop"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 10


def test_the_sdk_reads_the_stream(client: openai.OpenAI) -> None:
    stream = client.completions.create(model="darwin", prompt="Once", stream=True, user="text=One two three.")
    assert "".join(chunk.choices[0].text for chunk in stream) == "One two three."


def test_n_best_continuations(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="best-of-n", prompt="Once", n=3, best_of=3, user="n=3")
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    evolution = client.get(f"/evolutions/evo_{answer.id.removeprefix('cmpl-')}", cast_to=httpx.Response).json()
    assert (evolution["settings"]["cycles"], evolution["settings"]["mutants"]) == (1, 2)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": "  "}, "prompt"),
        ({"prompt": []}, "prompt"),
        ({"prompt": ["a", ""]}, "prompt"),
        ({"prompt": ["a", [1]], "n": 2}, "n"),
        ({"prompt": [[1], []]}, "prompt"),
        ({"prompt": ["a"] * 129}, "prompt"),
        ({"prompt": [1, -1]}, "prompt"),
        ({"prompt": [1, True]}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"model": "mutation-only"}, "model"),
        ({"model": "nothing"}, "model"),
        ({"suffix": "the end"}, "suffix"),
        ({"echo": True}, "echo"),
        ({"logprobs": 6}, "logprobs"),
        ({"best_of": 2}, "best_of"),
        ({"model": "best-of-n", "best_of": 257}, "best_of"),
        ({"model": "best-of-n", "n": 3, "best_of": 2}, "best_of"),
        ({"n": 2}, "n"),
        ({"max_tokens": 10**9}, "max_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": []}, "messages"),
    ],
)
async def test_refusals_name_the_field(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    answer = await http.post("/v1/completions", json={"model": "sample", "prompt": "Once"} | fields)
    assert answer.status_code == (404 if fields.get("model") == "nothing" else 400)
    assert answer.json()["error"]["param"] == param


async def test_a_full_context_is_the_prompts(http: httpx.AsyncClient) -> None:
    refused = await http.post("/v1/completions", json={"model": "sample", "prompt": "Once", "user": "full"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "prompt")


def test_failures(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="failed unexpectedly"):
        client.completions.create(model="sample", prompt="Once", user="fail=Internal")
