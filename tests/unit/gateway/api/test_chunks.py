"""The chunks of a stream: pieces of a text are the text."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from services.gateway.api import chunks
from services.gateway.config.settings import GatewaySettings
from shared.records.evolution import Choice, EvolutionRequest, Message, Record, Result, Sampling, Seconds, Tokens
from shared.records.search import Search

REQUEST = EvolutionRequest("darwin", (Message("user", "Why?"),), Sampling(9), Search(), 1, model="gpt-4o")


def final(*texts: str) -> list[dict]:  # type: ignore[type-arg]
    choices = tuple(Choice(text, "stop", 4, 0.5, {}, "Why?", 1, 0) for text in texts)
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


def test_a_text_comes_a_few_words_at_a_time() -> None:
    found = final("One two three four five six seven eight nine.", "Other")
    contents = [(chunk["choices"][0]["index"], chunk["choices"][0]["delta"].get("content")) for chunk in found]
    assert contents == [
        (0, "One two three four "), (0, "five six seven eight "), (0, "nine."), (0, None), (1, "Other"), (1, None),
    ]  # fmt: skip
    assert found[4]["choices"][0]["delta"]["role"] == "assistant"
    assert {chunk["model"] for chunk in found} == {"gpt-4o"}
