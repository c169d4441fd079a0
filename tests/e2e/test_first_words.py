"""The first words of an answer before its search has ended, through every process."""

from typing import Any

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
    asked: dict[str, Any] = {"model": "darwin", "messages": ASKED, "seed": 8, "max_tokens": 240 if more else 120}
    body = {**more, "darwin": SETTLED | darwin}
    chunks = list(create(**asked, stream=True, extra_body=body))
    kinds = [(getattr(chunk, "darwin", None) or {}).get("type") for chunk in chunks]
    end = kinds.index("evolution.ended")
    early = "".join(map(said, chunks[:end]))
    # Two survivors may share no beginning.
    assert early or darwin.get("survivors")
    whole = create(**asked, extra_body=body).choices[0].message
    assert "".join(map(said, chunks)) == whole.content
    told = "".join(said(chunk, "reasoning_content") for chunk in chunks)
    assert told == (whole.model_extra or {}).get("reasoning_content", "")
    assert bool(told) == bool(more)


def test_a_stop_string_cuts_nothing_that_was_sent(simulated_stack: Stack) -> None:
    create = openai.OpenAI(base_url=f"{simulated_stack.url}/v1", api_key="none").chat.completions.create
    asked: dict[str, Any] = {"model": "darwin", "messages": ASKED, "seed": 5, "max_tokens": 120}
    words = create(**asked, extra_body={"darwin": SETTLED}).choices[0].message.content.split(" ")
    stop = " ".join(words[30:33])
    chunks = list(create(**asked, stop=stop, stream=True, extra_body={"darwin": SETTLED}))
    text = "".join(map(said, chunks))
    assert text
    assert stop not in text
