"""Log probabilities in OpenAI's shapes, as OpenAI's own library reads them, whole and in pieces."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseOutputMessage, ResponseOutputText, ResponseTextDeltaEvent

from services.gateway.api import chunks, serializers
from services.gateway.api.openai_responses.events import AnswerEvents
from services.gateway.api.openai_responses.resource import response
from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.text_completions import resource
from services.gateway.api.text_completions.conversion import evolutions_of
from services.gateway.api.text_completions.requests import CompletionRequest
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from shared.errors import InvalidRequest
from shared.records.evolution import Choice, EvolutionRequest, Message, Record, Result, Sampling, Seconds, Tokens
from shared.records.logprobs import Alternative, TokenLogprobs
from shared.records.search import Search
from shared.records.tools import ToolCall

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(9, logprobs=2), Search(), 1)
SETTINGS = GatewaySettings()
RIVER = "川".encode()


def token(spelled: bytes, logprob: float = -1.0, *top: Alternative) -> TokenLogprobs:
    return TokenLogprobs(spelled.decode("latin-1"), logprob, False, top)


END = Alternative("</s>", -2.5, special=True)
TOLD = (token(b"A", -0.5, Alternative("A", -0.5), END), token(RIVER[:1]), token(RIVER[1:]), token(b" b", -1.25))


def record(*choices: Choice, sampling: Sampling = REQUEST.sampling) -> Record:
    result = Result(choices, None, Tokens(), Seconds(), 1)
    return Record("evo_1", 1, "succeeded", 1.0, replace(REQUEST, sampling=sampling), result=result)


def answer(text: str, *told: TokenLogprobs, **fields: Any) -> Choice:
    return Choice(text, "stop", 4, 0.5, {}, "Why?", 1, 0, logprobs=told, **fields)


def chunked(found: Record) -> list[dict[str, Any]]:
    *texts, done = chunks.final(found, False, SETTINGS)
    assert done == chunks.DONE
    for text in texts:
        ChatCompletionChunk.model_validate_json(text, strict=True)
    return [json.loads(text)["choices"][0] for text in texts]


def test_a_chat_completion_is_what_openais_library_reads() -> None:
    found = record(answer("A川 b", *TOLD), answer("A", TOLD[0]))
    body = serializers.chat_completion(found, SETTINGS).model_dump_json()
    first, second = ChatCompletion.model_validate_json(body, strict=True).choices
    assert first.logprobs is not None
    assert first.logprobs.content is not None
    assert second.logprobs is not None
    assert second.logprobs.content is not None
    assert first.logprobs.refusal is None
    assert [each.token for each in first.logprobs.content] == ["A", "\\xe5", "\\xb7\\x9d", " b"]
    assert bytes(byte for each in first.logprobs.content for byte in each.bytes or ()) == "A川 b".encode()
    assert [each.logprob for each in first.logprobs.content] == [-0.5, -1.0, -1.0, -1.25]
    likely, end = first.logprobs.content[0].top_logprobs
    assert (likely.token, likely.logprob, likely.bytes) == ("A", -0.5, [65])
    assert (end.token, end.logprob, end.bytes) == ("</s>", -2.5, None)
    assert len(second.logprobs.content) == 1
    evolution = serializers.evolution(found).model_dump(mode="json")
    assert evolution["settings"]["logprobs"] == 2
    assert evolution["result"]["choices"][0]["logprobs"] == json.loads(body)["choices"][0]["logprobs"]


def test_who_does_not_ask_gets_none() -> None:
    found = record(answer("A"), sampling=Sampling(9))
    assert serializers.chat_completion(found, SETTINGS).choices[0].logprobs is None
    assert resource.completion([found], SETTINGS).choices[0].logprobs is None
    assert {each["logprobs"] for each in chunked(found)} == {None}
    evolution = serializers.evolution(found).model_dump(mode="json")
    assert "logprobs" not in evolution["settings"].keys() | evolution["result"]["choices"][0].keys()


def test_calls_have_null_in_their_place() -> None:
    found = record(answer("Hm.", *TOLD, tool_calls=(ToolCall("f", "{}"),)))
    whole = serializers.chat_completion(found, SETTINGS).choices[0].logprobs
    assert whole is not None
    assert whole.model_dump() == {"content": None, "refusal": None}
    assert {each["logprobs"] for each in chunked(found)} == {None}


def test_an_answer_without_text_has_an_empty_list() -> None:
    whole = serializers.chat_completion(record(answer("")), SETTINGS).choices[0].logprobs
    assert whole is not None
    assert whole.content == []


@given(st.text(), st.lists(st.integers(1, 6), min_size=1))
def test_each_chunk_has_those_of_its_own_text(text: str, lengths: list[int]) -> None:
    data, told = text.encode(), []
    while data:
        length = lengths[len(told) % len(lengths)]
        told.append(token(data[:length], -float(len(told))))
        data = data[length:]
    *found, last = chunked(record(answer(text, *told)))
    assert "".join(each["delta"]["content"] for each in found) == text
    assert (last["finish_reason"], last["logprobs"]) == ("stop", None)
    content = [each for chunk in found for each in chunk["logprobs"]["content"]]
    assert [each["logprob"] for each in content] == [-float(n) for n in range(len(told))]
    for chunk in found:
        spelled = bytes(byte for each in chunk["logprobs"]["content"] for byte in each["bytes"])
        assert spelled.decode() == chunk["delta"]["content"]


def test_a_text_that_is_not_its_tokens_comes_with_all_of_them() -> None:
    [whole, last] = chunked(record(answer("one.", token(b"one"), token(b" ."))))
    assert (whole["delta"]["content"], len(whole["logprobs"]["content"])) == ("one.", 2)
    assert last["finish_reason"] == "stop"


def test_a_completion_is_what_openais_library_reads() -> None:
    twice = token(b"A", -2.0, Alternative("B", -0.5), Alternative("A", -0.75))
    found = record(answer("A川 bA", *TOLD, twice))
    body = resource.completion([found], SETTINGS).model_dump_json()
    told = Completion.model_validate_json(body, strict=True).choices[0].logprobs
    assert told is not None
    assert told.tokens == ["A", "bytes:\\xe5", "bytes:\\xb7\\x9d", " b", "A"]
    assert told.token_logprobs == [-0.5, -1.0, -1.0, -1.25, -2.0]
    assert told.text_offset == [0, 1, 1, 2, 4]
    assert told.top_logprobs is not None
    assert told.top_logprobs[0] == {"A": -0.5, "</s>": -2.5}
    assert told.top_logprobs[4] == {"B": -0.5, "A": -2.0}
    texts = resource.Chunks([found], SETTINGS).final(0, found)
    parts = [json.loads(text)["choices"][0] for text in texts]
    assert "".join(part["text"] for part in parts) == "A川 bA"
    offsets = [offset for part in parts if part["logprobs"] for offset in part["logprobs"]["text_offset"]]
    assert offsets == told.text_offset


def test_a_response_is_what_openais_library_reads() -> None:
    found = record(answer("A川 b", *TOLD))
    whole = Response.model_validate_json(response(found, SETTINGS).model_dump_json(), strict=True)
    assert whole.top_logprobs == 2
    message = whole.output[0]
    assert isinstance(message, ResponseOutputMessage)
    part = message.content[0]
    assert isinstance(part, ResponseOutputText)
    assert part.logprobs is not None
    assert [(each.token, each.logprob) for each in part.logprobs] == [
        ("A", -0.5), ("\\xe5", -1.0), ("\\xb7\\x9d", -1.0), (" b", -1.25),
    ]  # fmt: skip
    assert bytes(byte for each in part.logprobs for byte in each.bytes) == "A川 b".encode()
    assert [(other.token, other.bytes) for other in part.logprobs[0].top_logprobs] == [("A", [65]), ("</s>", [])]
    texts = [
        event.payload()
        for event in AnswerEvents(found, 2).closing(found, SETTINGS)
        if event.type == "response.output_text.delta"
    ]
    deltas = [ResponseTextDeltaEvent.model_validate_json(json.dumps(text), strict=True) for text in texts]
    assert [(delta.delta, len(delta.logprobs)) for delta in deltas] == [("A", 1), ("川", 2), (" b", 1)]


def test_a_response_with_calls_or_unasked_has_an_empty_list() -> None:
    for found in (
        record(answer("Hm.", *TOLD, tool_calls=(ToolCall("f", "{}"),))),
        record(answer("A"), sampling=Sampling(9)),
    ):
        told = response(found, SETTINGS).model_dump(mode="json")["output"][0]["content"][0]
        assert told["logprobs"] == []
        deltas = [
            event
            for event in AnswerEvents(found, 2).closing(found, SETTINGS)
            if event.type == "response.output_text.delta"
        ]
        assert [event.payload()["logprobs"] for event in deltas] == [[]] * len(deltas) != []


@pytest.mark.parametrize("text", ["", "A"])
def test_the_lists_of_a_completion_are_of_one_length(text: str) -> None:
    told = resource.completion([record(answer(text, *TOLD[: len(text)]))], SETTINGS).choices[0].logprobs
    assert told is not None
    assert {len(values) for values in told.model_dump().values()} == {len(text)}


@pytest.mark.parametrize(
    ("fields", "recorded"),
    [
        ({}, None),
        ({"logprobs": False}, None),
        ({"logprobs": False, "top_logprobs": 0}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 20}, 20),
    ],
)
def test_how_many_alternatives_are_recorded(fields: dict[str, Any], recorded: int | None) -> None:
    body = ChatCompletionRequest(model="darwin", messages=[{"role": "user", "content": "Why?"}], **fields)
    assert evolution_request(body, SETTINGS).sampling.logprobs == recorded


@pytest.mark.parametrize("alternatives", [None, 0, 5])
def test_how_many_of_a_completion_are_recorded(alternatives: int | None) -> None:
    body = CompletionRequest(model="darwin", prompt="Once", logprobs=alternatives)
    [request] = evolutions_of(body, SETTINGS)
    assert request.sampling.logprobs == alternatives


def test_no_search_records_more_than_the_deployment_allows() -> None:
    """Six responses of ten tokens, each with three alternatives."""
    fields: dict[str, Any] = {"model": "darwin", "max_tokens": 10}
    chat = ChatCompletionRequest(
        **fields, messages=[{"role": "user", "content": "Why?"}], logprobs=True, top_logprobs=3
    )
    assert evolution_request(chat, GatewaySettings(max_logprobs=240)).sampling.logprobs == 3
    with pytest.raises(InvalidRequest, match="240 log probabilities, at most 239") as refused:
        evolution_request(chat, GatewaySettings(max_logprobs=239))
    assert refused.value.field == "top_logprobs"
    completion = CompletionRequest(**fields, prompt="Once", logprobs=3)
    with pytest.raises(InvalidRequest, match="lower logprobs, max_tokens") as refused:
        evolutions_of(completion, GatewaySettings(max_logprobs=239))
    assert refused.value.field == "logprobs"
