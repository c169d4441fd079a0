"""A record as OpenAI's response, and as the events of its stream."""

from dataclasses import replace

import pytest
from openai.types.responses import Response

from services.gateway.api.openai_responses.events import AnswerEvents, opening
from services.gateway.api.openai_responses.resource import response
from services.gateway.api.openai_responses.turns import items_of, turns_of
from services.gateway.config.settings import GatewaySettings
from shared.methods import METHODS, Method
from shared.records.evolution import (
    Choice,
    EvolutionRequest,
    FinishReason,
    Message,
    Record,
    ResponseOptions,
    Result,
    Sampling,
    Seconds,
    Tokens,
)
from shared.records.search import Search
from shared.records.tools import ToolCall

SETTINGS = GatewaySettings()
CALLS = (ToolCall("weather", '{"city":"Rome"}'), ToolCall("now", ""))


def record(finish: FinishReason, method: Method = "sample") -> Record:
    request = EvolutionRequest(
        method, (Message("user", "Why?"),), Sampling(max_tokens=5), Search(), seed=1, response=ResponseOptions(inputs=1)
    )
    choice = Choice("Because of", finish, 5, 0.5, {}, "Why?", 0, None)
    result = Result((choice,), choice, Tokens(prompt=3), Seconds(), rounds=1)
    return Record("evo_1", 1, "succeeded", 10.5, request, finished_at=11.0, result=result)


@pytest.mark.parametrize("method", METHODS)
def test_an_answer_that_was_cut_is_incomplete(method: Method) -> None:
    cut = Response.model_validate_json(response(record("length", method), SETTINGS).model_dump_json(), strict=True)
    assert cut.incomplete_details is not None
    assert (cut.status, cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert cut.output[0].status == "incomplete"  # type: ignore[union-attr]
    whole = response(record("stop", method), SETTINGS)
    assert (whole.status, whole.incomplete_details, whole.output[0].status) == ("completed", None, "completed")


def test_a_stream_ends_by_what_became_of_it() -> None:
    assert [event.type for event in AnswerEvents(record("length"), 2).closing(record("length"), SETTINGS)][
        -1
    ] == "response.incomplete"
    assert [event.type for event in AnswerEvents(record("stop"), 2).closing(record("stop"), SETTINGS)][
        -1
    ] == "response.completed"
    cancelled = replace(record("stop"), status="cancelled", result=None)
    [last] = AnswerEvents(cancelled, 2).closing(cancelled, SETTINGS)
    assert last.response is not None
    assert (last.type, last.sequence_number, last.response.status) == ("response.failed", 2, "cancelled")


def test_what_opens_a_stream_tells_nothing_of_its_end() -> None:
    before = replace(record("stop"), status="queued", result=None, finished_at=None)
    assert opening(record("stop"), SETTINGS) == opening(before, SETTINGS)


@pytest.mark.parametrize("finish", ["stop", "length"])
def test_calls_are_whole_where_an_answer_was_cut(finish: FinishReason) -> None:
    answered = record(finish)
    assert answered.result is not None
    choice = replace(answered.result.choices[0], tool_calls=CALLS)
    held = replace(answered, result=replace(answered.result, choices=(choice,)))
    shown = Response.model_validate_json(response(held, SETTINGS).model_dump_json(), strict=True)
    assert shown.status == {"stop": "completed", "length": "incomplete"}[finish]
    assert [(item.type, item.status) for item in shown.output] == [  # type: ignore[union-attr]
        ("message", "completed"), ("function_call", "completed"), ("function_call", "completed")
    ]  # fmt: skip
    events = list(AnswerEvents(held, 2).closing(held, SETTINGS))
    assert [event.item for event in events if event.type == "response.output_item.done"] == response(
        held, SETTINGS
    ).output
    done = [event.arguments for event in events if event.type == "response.function_call_arguments.done"]
    assert done == [call.arguments for call in CALLS]


def test_items_are_the_turns_in_pieces() -> None:
    calls = tuple(replace(call, id=call.name) for call in CALLS)
    results = tuple(Message("tool", "x", (), call.id) for call in calls)
    asked = Message("user", "Why?")
    for turns in (
        [asked],
        [Message("system", "Be brief."), asked, Message("assistant", ""), asked],
        [asked, Message("assistant", "Let me see.", calls), *results, Message("assistant", "So."), asked],
        [asked, Message("assistant", "", calls), *results, Message("assistant", "", calls[:1]), results[0]],
    ):
        items = items_of(turns)
        assert all(len(item.tool_calls) < 2 for item in items)
        assert turns_of(items) == turns
    assert len(items) == 7
