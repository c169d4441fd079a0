"""What shapes sampling, over endpoints: passed on where they take it, and refused by its name where they do not."""

from typing import Any

import pytest
from starlette.responses import JSONResponse

from services.generation.endpoint.capabilities import FIELDS
from services.generation.messages import SHAPING, SamplingOptions
from shared.errors import InvalidRequest, Unsupported
from tests.openai_endpoint import FakeEndpoint, tokenizer
from tests.unit.generation.openai_engines import PLAIN, TEXT, ask, engine_of, read_checkpoint_once

VALUES: dict[str, Any] = {
    "presence_penalty": 0.5,
    "frequency_penalty": -0.5,
    "repetition_penalty": 1.2,
    "logit_bias": {7: 1.5, 42: -100.0},
    "min_p": 0.1,
    "ignore_eos": True,
}
GIVEN = (5, 6)
PIECES: list[dict[str, Any]] = [{"response_token_ids": GIVEN}, {"to_be_continued": True}, {"lookahead_tokens": 2}]


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    read_checkpoint_once(monkeypatch)


async def test_what_an_endpoint_takes_is_passed_on() -> None:
    assert set(VALUES) == set(SHAPING)
    fake = FakeEndpoint()
    async with engine_of(fake) as engine:
        await ask(engine, SamplingOptions(0.7, **VALUES))
        sent = {name: fake.asked[name] for name in VALUES}
        assert sent == VALUES | {"logit_bias": {"7": 1.5, "42": -100.0}}
        with pytest.raises(InvalidRequest, match="token id 999999, which is not in the model's vocabulary"):
            await ask(engine, SamplingOptions(logit_bias={999_999: 1.0}))


@pytest.mark.parametrize("name", SHAPING)
async def test_what_it_does_not_take_is_refused_before_it_is_asked(name: str) -> None:
    fake = FakeEndpoint(fields=frozenset(FIELDS) - {name})
    async with engine_of(fake) as engine:
        before = len(fake.bodies)
        with pytest.raises(Unsupported, match=f"the openai engine of this deployment cannot obey {name}") as refused:
            await ask(engine, SamplingOptions(0.7, **{name: VALUES[name]}))
        assert refused.value.field == f"sampling.{name}"
        assert len(fake.bodies) == before
        assert (await ask(engine, SamplingOptions(0.7))).finish == "stop"
        assert name not in fake.asked


async def test_penalties_that_would_not_count_what_is_continued_are_refused_where_it_is() -> None:
    fake = FakeEndpoint()
    async with engine_of(fake) as engine:
        for piece in PIECES:
            before = len(fake.bodies)
            for name in ("presence_penalty", "frequency_penalty"):
                with pytest.raises(Unsupported, match=rf"the openai engine .* under {name}.* best-of-n") as refused:
                    await ask(engine, SamplingOptions(0.7, **{name: VALUES[name]}), **piece)
                assert refused.value.field == f"sampling.{name}"
            assert len(fake.bodies) == before
            for name in ("repetition_penalty", "logit_bias", "min_p", "ignore_eos"):
                await ask(engine, SamplingOptions(0.7, **{name: VALUES[name]}), **piece)
                assert name in fake.asked


async def test_text_loses_the_ends_that_a_response_went_past() -> None:
    async with engine_of(FakeEndpoint(**TEXT)) as engine:
        for piece in PIECES:
            with pytest.raises(Unsupported, match="under ignore_eos"):
                await ask(engine, SamplingOptions(ignore_eos=True), **piece)
        assert (await ask(engine, SamplingOptions(ignore_eos=True))).text


async def test_what_cannot_be_continued_and_was_cut_early_is_cut_for_good() -> None:
    answer = {"choices": [{"text": "Spring comes", "finish_reason": "length"}]}
    fake = FakeEndpoint(**TEXT)
    async with engine_of(fake) as engine:
        for options, finish in ((SamplingOptions(), "length"), (SamplingOptions(presence_penalty=1.0), "context")):
            fake.answers = [JSONResponse(answer)]
            result = await ask(engine, options)
            assert (result.text, result.finish) == ("Spring comes", finish)


async def test_past_an_end_token_a_response_goes_on() -> None:
    end = tokenizer().eos_token_id
    fake = FakeEndpoint()
    async with engine_of(fake) as engine:
        for options, finish, ids in (
            (SamplingOptions(), "stop", (5, 6)),
            (SamplingOptions(ignore_eos=True), "length", (5, 6, end)),
        ):
            fake.answers = [
                JSONResponse({"choices": [{"text": "", "finish_reason": "length", "token_ids": [5, 6, end]}]})
            ]
            result = await ask(engine, options, max_new_tokens=3)
            assert (result.finish, result.token_ids) == (finish, ids)
            assert "<|" not in result.text


async def test_fields_that_an_operator_trusts_are_taken() -> None:
    fake = FakeEndpoint(**PLAIN)
    async with engine_of(fake, endpoint_fields="min_p,logit_bias") as engine:
        await ask(engine, SamplingOptions(0.7, min_p=0.1, logit_bias={7: 1.0}))
        assert (fake.asked["min_p"], fake.asked["logit_bias"]) == (0.1, {"7": 1.0})
        with pytest.raises(Unsupported, match="cannot obey repetition_penalty"):
            await ask(engine, SamplingOptions(0.7, repetition_penalty=1.2))
