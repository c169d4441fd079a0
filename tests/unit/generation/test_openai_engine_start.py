"""What the engine finds out about its endpoint when it starts, and what it makes of that."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from starlette.responses import Response

from services.generation.bootstrap import build_engine
from services.generation.endpoint.capabilities import FIELDS, LARGE_SEED
from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions
from services.generation.settings import GenerationSettings
from shared.errors import Unavailable, Unsupported
from tests.integration.processes import until
from tests.openai_endpoint import SAYS, FakeEndpoint, running
from tests.unit.generation.openai_engines import PLAIN, TEXT, ask, engine_of, read_checkpoint_once


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    read_checkpoint_once(monkeypatch)


async def test_fields_that_the_operator_trusts_are_sent_unprobed() -> None:
    fake = FakeEndpoint(**PLAIN)
    async with engine_of(fake, endpoint_fields="cache_salt, top_k") as engine:
        assert len(fake.bodies) == 4, "a plain completion, ids, and the standard fields with two values each"
        await engine.complete(TokenSequence((1,), 5, SamplingOptions(top_k=3), None, "salt"))
    assert (fake.asked["top_k"], fake.asked["cache_salt"]) == (3, "salt")
    assert "min_p" not in fake.asked


@pytest.mark.parametrize("missing", sorted(FIELDS))
async def test_each_field_is_found_out_by_itself(missing: str) -> None:
    fake = FakeEndpoint(fields=frozenset(FIELDS) - {missing})
    async with engine_of(fake) as engine:
        sampling = SamplingOptions(0.7, stop=("x",))
        await engine.complete(TokenSequence((1,), 5, sampling, None))
        assert missing not in fake.asked
        assert ("stop" in fake.asked) == (missing != "include_stop_str_in_output")


async def test_exact_ids_can_be_demanded() -> None:
    with pytest.raises(Unsupported, match="DARWIN_GENERATION_ENDPOINT_TOKENS=auto"):
        async with engine_of(FakeEndpoint(**TEXT), endpoint_tokens="ids"):
            pass


async def test_an_endpoint_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    fake = FakeEndpoint()
    with running(fake) as url:
        pass
    engine = build_engine(GenerationSettings(engine="openai", endpoint=url))
    starting = asyncio.ensure_future(engine.start())
    await until(lambda: "the endpoint is away" in caplog.text, 20)
    with pytest.raises(Unavailable):
        _ = engine.info
    fake.answers = [Response(status_code=503), Response(status_code=429)]
    with running(fake, int(url.split(":")[2].split("/")[0])):
        await asyncio.wait_for(starting, 20)
        assert engine.info.model == "served"
    # Away again, it costs the calls that come meanwhile.
    with pytest.raises(Unavailable):
        await engine.complete(TokenSequence((1,), 1, SamplingOptions(), None))
    await engine.stop()


@pytest.mark.parametrize(
    ("fake", "settings", "names"),
    [
        (FakeEndpoint(answers=[Response(status_code=401)]), {}, "DARWIN_GENERATION_ENDPOINT_KEY"),
        (FakeEndpoint(answers=[Response(status_code=404)]), {}, "DARWIN_GENERATION_ENDPOINT "),
        (FakeEndpoint(answers=[Response(b"<html>")]), {}, "DARWIN_GENERATION_ENDPOINT_MODEL can name one"),
        (FakeEndpoint(completions=False), {}, "DARWIN_GENERATION_ENDPOINT .* to what it serves"),
        (FakeEndpoint(completions=False, chat=True), {"endpoint_api": "completions"}, "by /chat/completions only"),
        (FakeEndpoint(limit="max_words"), {}, "refuses a plain completion and answers HTTP 400"),
        (FakeEndpoint(limit="max_words", chat=True), {"endpoint_api": "chat"}, "refuses a plain chat and answers HTTP"),
        (
            FakeEndpoint(fields=frozenset(), returns_ids=False),
            {"endpoint_tokens": "ids"},
            "DARWIN_GENERATION_ENDPOINT_TOK",
        ),
        (FakeEndpoint(models=("a", "b")), {}, "DARWIN_GENERATION_ENDPOINT_MODEL"),
        (FakeEndpoint(models=()), {}, "DARWIN_GENERATION_ENDPOINT_MODEL"),
    ],
)
async def test_what_only_the_operator_can_change_is_not_waited_for(
    fake: FakeEndpoint, settings: dict[str, str], names: str
) -> None:
    with pytest.raises(Unsupported, match=names):
        async with engine_of(fake, **settings):
            pass


@pytest.mark.parametrize("misfit", ["refused", "fails", "breaks", "full"])
async def test_whatever_a_probe_fails_by_it_says_that_the_endpoint_cannot(misfit: Any) -> None:
    fake = FakeEndpoint(**TEXT, fields=frozenset({"top_k"}), misfit=misfit, refuses=(("seed", LARGE_SEED),))
    async with engine_of(fake, endpoint_model="served") as engine:
        known = engine._known.capabilities
        assert (known.takes_ids, known.fields) == (False, {"top_k"})
        assert ("seed", LARGE_SEED) not in known.standard
        assert (await ask(engine, SamplingOptions(0.7, top_k=40), seed=2**40)).text == SAYS
    assert fake.asked["seed"] < 2**31


@pytest.mark.parametrize("misfit", ["fails", "breaks"])
async def test_a_failure_does_not_prove_that_caches_are_kept_apart(misfit: Any) -> None:
    async with engine_of(FakeEndpoint(misfit=misfit)) as engine:
        assert "top_k" in engine._known.capabilities.fields
        assert "cache_salt" not in engine._known.capabilities.fields


async def test_an_endpoint_with_a_tokenizer_of_its_own_is_given_text(caplog: pytest.LogCaptureFixture) -> None:
    async with engine_of(FakeEndpoint(counts=3)) as engine:
        assert not engine._known.capabilities.takes_ids
        assert (await ask(engine)).text == SAYS
    assert "set DARWIN_GENERATION_MODEL to what it serves" in caplog.text


async def test_a_field_by_another_name_bounds_the_tokens() -> None:
    fake = FakeEndpoint(limit="max_completion_tokens")
    async with engine_of(fake) as engine:
        assert (await ask(engine)).text == SAYS
    assert fake.asked["max_completion_tokens"] == 50
    assert "max_tokens" not in fake.asked


async def test_values_that_change_nothing_are_left_out_where_they_are_refused() -> None:
    fake = FakeEndpoint(refuses=(("top_p", 1.0), ("top_k", -1), ("temperature", 0.0)))
    async with engine_of(fake) as engine:
        await ask(engine, SamplingOptions(0.7))
        assert "top_p" not in fake.asked
        assert fake.asked["top_k"] == 0
        await ask(engine, SamplingOptions(0.7, top_p=0.5, top_k=3))
        assert (fake.asked["top_p"], fake.asked["top_k"]) == (0.5, 3)
        with pytest.raises(Unsupported, match="takes no temperature 0") as refused:
            await ask(engine)
        assert refused.value.field == "sampling.temperature"


async def test_which_model_is_asked_for_and_how_long_its_context_is() -> None:
    fake = FakeEndpoint(models=("a", "b"))
    async with engine_of(fake, endpoint_model="b") as engine:
        assert (engine.info.model, engine.info.context_length) == ("b", 256)
    assert fake.asked["model"] == "b"
    unlisted = FakeEndpoint(answers=[Response(status_code=404)])
    async with engine_of(unlisted, endpoint_model="mine", max_model_len=128) as engine:
        assert (engine.info.model, engine.info.context_length) == ("mine", 128)
    async with engine_of(replace(fake, models=("a",), max_model_len=None), max_model_len=512) as engine:
        assert engine.info.context_length == 512
