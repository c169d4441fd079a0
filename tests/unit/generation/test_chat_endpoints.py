"""Endpoints that serve chats only: what is found out of them, and responses in one piece and in many."""

from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from services.generation.endpoint.chats import CONTINUATIONS
from services.generation.messages import RawPrompt, SamplingOptions
from shared.errors import InvalidRequest, Unavailable, Unsupported
from shared.records.evolution import Message
from tests.openai_endpoint import SAYS, FakeEndpoint, tokenizer
from tests.unit.generation.openai_engines import QUESTION, SCHEMA, ask, engine_of, read_checkpoint_once

CHATS = FakeEndpoint(completions=False, chat=True, fields=frozenset(), takes_ids=False, returns_ids=False)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    read_checkpoint_once(monkeypatch)


def fake(**changes: Any) -> FakeEndpoint:
    return replace(CHATS, bodies=[], headers=[], paths=[], answers=[], **changes)


@pytest.mark.parametrize(
    ("continues", "unknown", "repeats"),
    zip(CONTINUATIONS, ("refused", "ignored", "refused", "refused"), (False, True, False, False), strict=True),
)
async def test_a_response_is_continued_as_the_endpoint_spells_it(continues: str, unknown: Any, repeats: bool) -> None:
    there = fake(continues=continues, unknown=unknown, repeats=repeats)
    async with engine_of(there, endpoint_fields="") as engine:
        known = engine._known.capabilities
        assert (known.continuing, known.repeats, engine.info.lacks) == (continues, repeats, ("raw_prompts",))
        ids: tuple[int, ...] = ()
        for _ in range(20):
            result = await ask(engine, response_token_ids=ids, max_new_tokens=5, to_be_continued=True)
            ids += result.token_ids
            if result.finish == "stop":
                break
        assert result.text == SAYS
        asked = [body["messages"][0]["content"] for body in there.bodies if "messages" in body]
        assert asked.count(QUESTION[0].content) > 2
        begun = (*QUESTION, Message("assistant", SAYS[:20]))
        assert (await ask(engine, messages=begun)).text == SAYS[20:]


async def test_an_endpoint_that_continues_nothing_decodes_in_one_piece() -> None:
    there = fake()
    async with engine_of(there, endpoint_fields="") as engine:
        assert engine.info.lacks == ("continues", "raw_prompts")
        result = await ask(engine)
        assert (result.text, result.finish) == (SAYS, "stop")
        asked = len(there.bodies)
        for sequence in (
            {"to_be_continued": True},
            {"lookahead_tokens": 4},
            {"response_token_ids": (1, 2)},
            {"messages": (*QUESTION, Message("assistant", "Spring"))},
            {"messages": (), "raw_prompt": RawPrompt("Spring")},
        ):
            with pytest.raises(Unsupported, match=r"continue|takes chats only"):
                await ask(engine, **sequence)
        assert len(there.bodies) == asked, "nothing was spent"
        # It is cut, and complete so: nobody can ask for the rest.
        assert (await ask(engine, max_new_tokens=4)).finish == "context"


async def test_tokens_are_charged_as_the_endpoint_counts_them_and_no_text_is_lost() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 5}}
    reply = {"choices": [{"message": {"content": SAYS}, "finish_reason": "stop"}], "usage": usage}
    there = fake(continues="flags")
    async with engine_of(there, endpoint_fields="") as engine:
        there.answers = [JSONResponse(reply)]
        # By our tokenizer the text has more tokens than were asked for.
        result = await ask(engine, max_new_tokens=9)
        assert len(result.token_ids) == len(tokenizer()(SAYS)["input_ids"]) > 9
        assert (result.text, result.finish) == (SAYS, "stop")
        assert (result.usage.prompt_tokens, result.usage.cached_tokens) == (7, 5)
        assert (result.usage.generated_tokens, result.usage.kept_tokens) == (9, 9)
        there.answers = [JSONResponse(reply)]
        ahead = await ask(engine, max_new_tokens=5, lookahead_tokens=4)
        assert SAYS.startswith(ahead.text)
        assert ahead.lookahead_text == SAYS
        assert len(ahead.token_ids) == 5
        assert 0 < ahead.usage.kept_tokens < 9 == ahead.usage.generated_tokens  # type: ignore[operator]


async def test_a_reply_without_text_ends_the_response() -> None:
    """A model that reasons may use up its tokens before it says anything; it would do so again."""
    there = fake(continues="flags")
    async with engine_of(there, endpoint_fields="") as engine:
        there.answers = [JSONResponse({"choices": [{"message": {"content": None}, "finish_reason": "length"}]})]
        assert (await ask(engine, to_be_continued=True)).finish == "stop"


async def test_options_are_mapped_and_what_is_unknown_is_left_out_or_refused() -> None:
    there = fake(limit="max_completion_tokens", fields=frozenset({"response_format", "logit_bias", "ignore_eos"}))
    async with engine_of(there, endpoint_model="served") as engine:
        await ask(engine, SamplingOptions(0.7, top_k=3, stop=("x!",), format=SCHEMA), seed=3)
        assert there.asked["max_completion_tokens"] == 50
        assert there.asked["stop"] == ["x!"]
        assert there.asked["response_format"]["type"] == "json_schema"
        assert not {"top_k", "prompt", "max_tokens", "continue_final_message"} & there.asked.keys()
        assert there.asked["messages"] == [{"role": "user", "content": QUESTION[0].content}]
        # The endpoint puts the conversation into a template that is not ours: ids of ours are not its own.
        for refused in ({"logit_bias": {1: 2.0}}, {"ignore_eos": True}, {"min_p": 0.1}):
            with pytest.raises(Unsupported, match="cannot obey"):
                await ask(engine, SamplingOptions(**refused))
        with pytest.raises(Unsupported, match="gives no log probabilities"):
            await ask(engine, SamplingOptions(logprobs=2))


async def test_chats_can_be_demanded_and_so_can_how_they_are_continued() -> None:
    both = fake(completions=True, continues="partial")
    async with engine_of(both, endpoint_fields="", endpoint_api="chat", endpoint_continues="partial") as engine:
        assert engine._known.capabilities.continuing == "partial"
        assert not any("continue_final_message" in body for body in both.bodies)
        assert (await ask(engine)).text == SAYS
        assert not any("prompt" in body for body in both.bodies)
    async with engine_of(both, endpoint_fields="") as engine:
        assert not engine._known.capabilities.chat
    async with engine_of(both, endpoint_fields="", endpoint_api="chat", endpoint_continues="no") as engine:
        assert not engine.info.continues
    with pytest.raises(Unsupported, match="ENDPOINT_API=chat"):
        async with engine_of(fake(), endpoint_api="completions"):
            pass


async def test_a_dropped_or_too_long_chat_is_told_as_elsewhere() -> None:
    there = fake(continues="implicit", context=120)
    async with engine_of(there, endpoint_fields="") as engine:
        there.answers = [JSONResponse({"choices": [{"message": {"content": "S"}, "finish_reason": "abort"}]})]
        with pytest.raises(Unavailable, match="dropped"):
            await ask(engine)
        there.answers = [Response(status_code=429, headers={"retry-after": "0.01"})]
        assert (await ask(engine)).text == SAYS
        assert (await ask(engine, max_new_tokens=119)).finish == "context"
        there.answers = [Response(status_code=400)]
        with pytest.raises(InvalidRequest):
            await ask(engine)
