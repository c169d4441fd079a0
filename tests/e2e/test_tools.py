"""Tools through every process, with OpenAI's SDK."""

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from cli.stack import Stack
from shared.text.json_schemas import follows

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
ZONE = {"type": "object", "properties": {"zone": {"enum": ["utc", "cet"]}}}
SCHEMAS = {"weather": WEATHER, "now": ZONE}
TOOLS: Any = [{"type": "function", "function": {"name": n, "parameters": schema}} for n, schema in SCHEMAS.items()]


@pytest.fixture
def client(simulated_stack: Stack) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{simulated_stack.url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def asked(number: int) -> list[Any]:
    return [{"role": "user", "content": f"Tell me the weather, number {number}."}]


@pytest.mark.parametrize("model", ["sample", "best-of-n", "darwin"])
def test_answers_call_and_go_on_from_the_result(client: openai.OpenAI, model: str) -> None:
    called = 0
    for number in range(40):
        answer = client.chat.completions.create(model=model, messages=asked(number), tools=TOOLS, max_tokens=200)
        [choice] = answer.choices
        if not choice.message.tool_calls:
            assert choice.finish_reason in ("stop", "length")
            continue
        called += 1
        if called > 2:
            break
        assert choice.finish_reason == "tool_calls"
        for call in choice.message.tool_calls:
            assert call.type == "function"
            assert follows(json.dumps(SCHEMAS[call.function.name]), call.function.arguments)
        results: Any = [{"role": "tool", "tool_call_id": c.id, "content": "Rain."} for c in choice.message.tool_calls]
        then = [*asked(number), choice.message, *results]
        answer = client.chat.completions.create(model=model, messages=then, tools=TOOLS, max_tokens=20)
        assert answer.choices[0].message.content
        assert not answer.choices[0].message.tool_calls
        then.append({"role": "user", "content": "And tomorrow?"})
        assert client.chat.completions.create(model=model, messages=then, tools=TOOLS, max_tokens=20).choices
    assert called > 1


def test_calls_have_votes_and_choices_differ(client: openai.OpenAI) -> None:
    for number in range(10):
        answer = client.chat.completions.create(
            model="best-of-n",
            messages=asked(number),
            tools=TOOLS,
            max_tokens=200,
            n=4,
            extra_body={"darwin": {"mutants": 8}},
        )
        said = [
            tuple((c.function.name, c.function.arguments) for c in choice.message.tool_calls or ())  # type: ignore[union-attr]
            or choice.message.content
            for choice in answer.choices
        ]
        assert len(set(said)) == len(said)


@pytest.mark.parametrize("model", ["sample", "best-of-n", "darwin"])
def test_a_call_can_be_demanded(client: openai.OpenAI, model: str) -> None:
    named: Any = {"type": "function", "function": {"name": "now"}}
    for choice, names in (("required", set(SCHEMAS)), (named, {"now"})):
        for parallel in (True, False):
            answer = client.chat.completions.create(
                model=model,
                messages=asked(1),
                tools=TOOLS,
                tool_choice=choice,
                parallel_tool_calls=parallel,
                max_tokens=2000,
                seed=3,
            )
            [found] = answer.choices
            calls: Any = found.message.tool_calls
            assert (found.finish_reason, found.message.content) == ("tool_calls", None)
            assert {call.function.name for call in calls} <= names
            assert parallel or len(calls) == 1
            for call in calls:
                assert follows(json.dumps(SCHEMAS[call.function.name]), call.function.arguments)


def test_streams_and_answers_without_tools_hold_no_calls(client: openai.OpenAI) -> None:
    for more in ({"tool_choice": "none", "tools": TOOLS}, {"tools": []}, {}):
        answer = client.chat.completions.create(model="best-of-n", messages=asked(1), max_tokens=40, **more)  # type: ignore[call-overload]
        assert not answer.choices[0].message.tool_calls
    for number in range(10):
        with client.chat.completions.stream(
            model="darwin", messages=asked(number), tools=TOOLS, max_tokens=2000, parallel_tool_calls=False
        ) as stream:
            for _ in stream:
                pass
            [choice] = stream.get_final_completion().choices
        if choice.message.tool_calls:
            assert len(choice.message.tool_calls) == 1
            return
    raise AssertionError("no stream called")


@pytest.mark.parametrize("model", ["sample", "best-of-n", "darwin"])
def test_responses_call_and_go_on_from_the_output(client: openai.OpenAI, model: str) -> None:
    tools: Any = [{"type": "function", "name": n, "parameters": schema} for n, schema in SCHEMAS.items()]
    first = client.responses.create(
        model=model, input="Tell me the weather.", tools=tools, tool_choice="required", parallel_tool_calls=False
    )
    [call] = first.output
    assert call.type == "function_call"
    assert follows(json.dumps(SCHEMAS[call.name]), call.arguments)
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    with client.responses.stream(
        model=model, input=[output], previous_response_id=first.id, tools=tools, tool_choice="none"
    ) as stream:
        for _ in stream:
            pass
        second = stream.get_final_response()
    assert second.output_text
    third = client.responses.create(model=model, input="And?", previous_response_id=second.id, max_output_tokens=20)
    assert third.output_text
    items = client.responses.input_items.list(second.id).data
    assert [item.type for item in items] == ["function_call_output"]
