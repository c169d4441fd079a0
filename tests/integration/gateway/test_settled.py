"""Streams that begin with the answer before its search has ended."""

import json
from typing import Any

import httpx
import openai
import pytest

from tests.integration.gateway.running import MESSAGES

TEXT = "The sea rises and falls twice a day."
DARWIN = {"stream_settled": True}


def chat(client: openai.OpenAI, user: str, **fields: Any) -> list[Any]:
    body = {"darwin": DARWIN} | fields
    return list(
        client.chat.completions.create(model="darwin", messages=MESSAGES, stream=True, user=user, extra_body=body)
    )


def deltas(chunks: list[Any], field: str = "content") -> list[str]:
    return [text for chunk in chunks for choice in chunk.choices if (text := getattr(choice.delta, field, None))]


def test_a_chat_begins_with_what_is_settled(client: openai.OpenAI) -> None:
    chunks = chat(client, f"settled={TEXT}")
    assert deltas(chunks) == ["The sea ", "rises an", "d falls twice a ", "day."]
    assert "".join(deltas(chunks, "reasoning_content")) == "Hm, well."
    kinds = [
        "thought"
        if deltas([chunk], "reasoning_content")
        else "text"
        if deltas([chunk])
        else (chunk.darwin or {})["type"]
        for chunk in chunks[1:-1]
    ]
    assert kinds == [
        *("evolution.accepted", "base.scored", "round.finished", "thought", "text", "round.finished", "text"),
        *("evolution.ended", "text", "text"),
    ]
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == [None, "stop"]


def test_thoughts_are_told_only_to_who_wants_them(client: openai.OpenAI) -> None:
    chunks = chat(client, f"settled={TEXT}", include_reasoning=False)
    assert "".join(deltas(chunks)) == TEXT
    assert not deltas(chunks, "reasoning_content")


def test_an_answer_that_does_not_go_on_from_what_was_sent_is_an_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="does not go on from what was sent"):
        chat(client, f"unsettled={TEXT}")


def test_a_completion_begins_with_what_is_settled(client: openai.OpenAI) -> None:
    stream = client.completions.create(
        model="darwin", prompt="Once", stream=True, user=f"settled={TEXT}", extra_body={"darwin": DARWIN}
    )
    pieces = [chunk.choices[0].text for chunk in stream if chunk.choices and chunk.choices[0].text]
    assert pieces == ["The sea ", "rises an", "d falls twice a ", "day."]


def test_a_response_begins_with_what_is_settled_and_may_be_resumed(client: openai.OpenAI) -> None:
    stream = client.responses.create(
        model="darwin", input="Why?", stream=True, user=f"settled={TEXT}", extra_body={"darwin": DARWIN}
    )
    whole = list(stream)
    assert [event.sequence_number for event in whole] == list(range(len(whole)))
    kinds = [event.type.removeprefix("response.") for event in whole]
    assert kinds == [
        *("created", "in_progress", "output_item.added", "reasoning_text.delta", "reasoning_text.done"),
        *("output_item.done", "output_item.added", "content_part.added", *["output_text.delta"] * 4),
        *("output_text.done", "content_part.done", "output_item.done", "completed"),
    ]
    assert "".join(event.delta for event in whole if event.type == "response.output_text.delta") == TEXT
    final = whole[-1].response
    assert final.output_text == TEXT
    for event in whole:
        if event.type == "response.output_item.added":
            assert final.output[event.output_index].id == event.item.id
    for after in (1, 8, 11):
        again = list(client.responses.retrieve(final.id, stream=True, starting_after=after))
        assert again == whole[after + 1 :]


def test_a_response_that_does_not_go_on_from_what_was_sent_ends_in_an_error(client: openai.OpenAI) -> None:
    stream = client.responses.create(model="darwin", input="Why?", stream=True, user=f"unsettled={TEXT}")
    *_, last = stream
    assert (last.type, last.code) == ("error", "internal")


async def test_a_setting_that_has_no_effect_is_named(http: httpx.AsyncClient) -> None:
    body = {"model": "best-of-n", "messages": MESSAGES, "darwin": DARWIN}
    answer = json.loads((await http.post("/v1/chat/completions", json=body)).text)
    [warning] = answer["darwin"]["warnings"]
    assert "stream_settled" in warning
    assert "best-of-n decodes its responses in one piece" in warning
