"""The first words of an answer before its search has ended, through every process."""

from typing import Any

import httpx
import openai
import pytest

from cli.stack import Stack

ASKED = [{"role": "user", "content": "Name three rivers in Peru."}]
SETTLED = {"stream_settled": True, "period": 20}
THINK = {"chat_template_kwargs": {"enable_thinking": True}}


def said(chunk: Any, field: str = "content") -> str:
    return "".join(getattr(choice.delta, field, None) or "" for choice in chunk.choices)


@pytest.mark.parametrize(
    ("darwin", "more"),
    [({}, {}), ({"survivors": 2}, {}), ({"max_generated_tokens": 500}, {}), ({}, THINK)],
    ids=["default", "survivors", "budget", "thoughts"],
)
def test_a_stream_begins_with_the_answer_before_its_end(
    simulated_stack: Stack, darwin: dict[str, Any], more: dict[str, Any]
) -> None:
    create = openai.OpenAI(base_url=f"{simulated_stack.url}/v1", api_key="none").chat.completions.create
    body = {**more, "darwin": SETTLED | darwin}
    begun = []
    for seed in range(6):
        asked: dict[str, Any] = {"model": "darwin", "messages": ASKED, "seed": seed, "max_tokens": 240 if more else 120}
        chunks = list(create(**asked, stream=True, extra_body=body))
        kinds = [(getattr(chunk, "darwin", None) or {}).get("type") for chunk in chunks]
        begun.append(bool("".join(map(said, chunks[: kinds.index("evolution.ended")]))))
        evolution_id = chunks[0].darwin["evolution_id"]
        answer = httpx.get(f"{simulated_stack.url}/v1/evolutions/{evolution_id}").json()["result"]["choices"][0]
        assert "".join(map(said, chunks)) == answer["text"]
        told = "".join(said(chunk, "reasoning_content") for chunk in chunks)
        assert told == answer.get("reasoning", "")
        assert bool(told) == bool(more)
    # Whether candidates share a beginning is chance; two survivors may never do.
    assert any(begun) or darwin.get("survivors")


def test_a_stop_string_cuts_nothing_that_was_sent(simulated_stack: Stack) -> None:
    create = openai.OpenAI(base_url=f"{simulated_stack.url}/v1", api_key="none").chat.completions.create
    asked: dict[str, Any] = {"model": "darwin", "messages": ASKED, "seed": 5, "max_tokens": 120}
    words = create(**asked, extra_body={"darwin": SETTLED}).choices[0].message.content.split(" ")
    stop = " ".join(words[30:33])
    chunks = list(create(**asked, stop=stop, stream=True, extra_body={"darwin": SETTLED}))
    text = "".join(map(said, chunks))
    assert text
    assert stop not in text
