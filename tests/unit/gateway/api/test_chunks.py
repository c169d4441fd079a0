"""The chunks of a stream: pieces of a text are the text."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from services.gateway.api import chunks
from services.gateway.config.settings import GatewaySettings
from shared.records.evolution import Choice, EvolutionRequest, Message, Record, Result, Sampling, Seconds, Tokens
from shared.records.search import Search
from shared.records.tools import ToolCall

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(9), Search(), 1, model="gpt-4o")


def final(*texts: str, calls: tuple[ToolCall, ...] = ()) -> list[dict]:  # type: ignore[type-arg]
    choices = tuple(Choice(text, "stop", 4, 0.5, {}, "Why?", 1, 0, calls) for text in texts)
    result = Result(choices, None, Tokens(), Seconds(), 1)
    *found, done = chunks.final(Record("evo_1", 1, "succeeded", 1.0, REQUEST, result=result), False, GatewaySettings())
    assert done == chunks.DONE
    return [json.loads(chunk) for chunk in found]


@given(st.text())
@example("")
@example(" \n ")
@example("word " * 1000)
@example("\u6587" * 1000)
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    found = final(text)
    contents = [chunk["choices"][0]["delta"]["content"] for chunk in found[:-1]]
    assert "".join(contents) == text
    assert contents.count("") == (text == "")
    assert found[-1]["choices"][0]["finish_reason"] == "stop"


@given(st.lists(st.tuples(st.text(min_size=1), st.text()), min_size=1, max_size=3), st.text())
def test_the_pieces_of_calls_are_the_calls(named: list[tuple[str, str]], text: str) -> None:
    calls = tuple(ToolCall(name, arguments) for name, arguments in named)
    found = final(text, calls=calls)
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"
    joined: dict[int, dict[str, str]] = {}
    for delta in (part for chunk in found for part in chunk["choices"][0]["delta"].get("tool_calls", ())):
        call = joined.setdefault(delta["index"], {"arguments": ""})
        call["arguments"] += delta["function"]["arguments"]
        if "id" in delta:
            assert delta["type"] == "function"
            call |= {"id": delta["id"], "name": delta["function"]["name"]}
        assert ("id" in delta) == ("name" in delta["function"])
    assert [(call["name"], call["arguments"]) for call in joined.values()] == named
    assert list(joined) == list(range(len(named)))
    assert len({call["id"] for call in joined.values()}) == len(named)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in found) == text


def test_a_text_comes_a_few_words_at_a_time() -> None:
    found = final("One two three four five six seven eight nine.", "Other")
    contents = [(chunk["choices"][0]["index"], chunk["choices"][0]["delta"].get("content")) for chunk in found]
    assert contents == [
        (0, "One two three four "), (0, "five six seven eight "), (0, "nine."), (0, None), (1, "Other"), (1, None),
    ]  # fmt: skip
    assert found[4]["choices"][0]["delta"]["role"] == "assistant"
    assert {chunk["model"] for chunk in found} == {"gpt-4o"}
