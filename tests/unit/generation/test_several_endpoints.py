"""Several endpoints of one deployment: who decodes what, what happens when one fails, and hints for routers."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.responses import Response

from services.generation import several_endpoints
from services.generation.bootstrap import build_engine, build_generator
from services.generation.endpoint.capabilities import FIELDS
from services.generation.endpoint.several import Choice, NamedEndpoint, read_endpoints
from services.generation.messages import GenerateRequest, SamplingOptions, Sequence, SequenceResult
from services.generation.settings import GenerationSettings
from services.generation.several_endpoints import SeveralEndpoints
from shared.errors import InvalidRequest, Unavailable, Unsupported
from shared.records.evolution import Message
from tests.integration.processes import until
from tests.openai_endpoint import SAYS, FakeEndpoint, running
from tests.unit.generation.openai_engines import QUESTION, READ, read_checkpoint_once

EXACT = FakeEndpoint()
TEXT = FakeEndpoint(takes_ids=False, returns_ids=False)
CHAT = FakeEndpoint(completions=False, chat=True, continues="flags", takes_ids=False, returns_ids=False)


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    read_checkpoint_once(monkeypatch)
    monkeypatch.setattr(several_endpoints, "read_checkpoint", READ)
    monkeypatch.setattr(several_endpoints, "_FIRST_LOOK_S", 0.05)


def fresh(fake: FakeEndpoint) -> FakeEndpoint:
    return replace(fake, bodies=[], headers=[], paths=[], answers=[])


@asynccontextmanager
async def several(*fakes: FakeEndpoint, **settings: Any) -> AsyncIterator[SeveralEndpoints]:
    """Endpoints named a, b and so on."""
    async with AsyncExitStack() as stack:
        urls = [stack.enter_context(running(fake)) for fake in fakes]
        listed = [{"name": name, "url": url} for name, url in zip("abcdef", urls, strict=False)]
        given = {"endpoints": json.dumps(listed), "endpoint_fields": ",".join(FIELDS)} | settings
        engine = build_engine(GenerationSettings(engine="openai", **given))
        assert isinstance(engine, SeveralEndpoints)
        stack.push_async_callback(engine.stop)
        await engine.start()
        yield engine


async def ask(engine: SeveralEndpoints, evolution: str = "e", spread: int = 1, **sequence: Any) -> SequenceResult:
    wanted = Sequence(**{"id": "0", "messages": QUESTION, "max_new_tokens": 50} | sequence)
    request = GenerateRequest((wanted,), SamplingOptions(0.7), evolution=evolution, spread=spread)
    (results,) = [each async for each in build_generator(engine, GenerationSettings()).generate(request)]
    return results[0]


def test_searches_are_shared_out_by_weight_and_their_states_in_turn() -> None:
    weights = {"a": 2, "b": 1, "c": 1}
    names = tuple(weights)
    choice = Choice([NamedEndpoint(name=name, url="http://x/v1", weight=weight) for name, weight in weights.items()])
    firsts = Counter(choice.ranked(f"evolution-{n}", 0, 1, names)[0] for n in range(2000))
    assert firsts == pytest.approx({"a": 1000, "b": 500, "c": 500}, abs=100)
    for evolution in ("x", "y", "z"):
        alone = {choice.ranked(evolution, state, 1, names)[0] for state in range(-1, 8)}
        assert len(alone) == 1, "a search stays at one endpoint"
        spread = Counter(choice.ranked(evolution, state, 3, names)[0] for state in range(8))
        assert spread == {"a": 4, "b": 2, "c": 2}
        assert len({choice.ranked(evolution, state, 2, names)[0] for state in range(8)}) == 2
        first, second, third = choice.ranked(evolution, 0, 1, names)
        assert choice.ranked(evolution, 0, 1, {second, third}) == [second, third, first]
        # Whose endpoint is up keeps it.
        assert choice.ranked(evolution, 0, 1, {first, second})[0] == first


async def test_states_are_spread_and_stay_and_a_response_goes_on_elsewhere_as_text() -> None:
    async with several(fresh(EXACT), fresh(CHAT), fresh(TEXT)) as engine:
        assert (engine.info.continues, engine.info.raw_prompts, engine.info.lacks) == (True, False, ("raw_prompts",))
        begun = {state: await ask(engine, spread=3, id=str(state), max_new_tokens=6) for state in range(3)}
        assert {each.served_by for each in begun.values()} == {"a", "b", "c"}
        # Each state goes on with the response of another, which another endpoint has decoded.
        for state in range(3):
            donor = begun[(state + 1) % 3]
            whole = await ask(engine, spread=3, id=str(state), response_token_ids=donor.token_ids)
            assert (whole.text, whole.finish) == (SAYS, "stop")
            assert whole.served_by == begun[state].served_by != donor.served_by
        assert len({(await ask(engine, id=str(state))).served_by for state in range(-1, 4)}) == 1


async def test_one_that_fails_is_left_out_until_it_responds_again() -> None:
    fakes = {"a": fresh(EXACT), "b": fresh(EXACT)}
    async with several(*fakes.values()) as engine:
        name = (await ask(engine)).served_by
        (other,) = fakes.keys() - {name}
        fakes[name].answers = [
            Response(status_code=503),
            Response(status_code=401),
            *[Response(status_code=500)] * 1000,
        ]
        assert (await ask(engine)).served_by == other
        assert engine.up == {other}
        fakes[name].answers.clear()
        await until(lambda: engine.up == {"a", "b"}, 40)
        assert (await ask(engine)).served_by == name
        # A request that is wrong is wrong everywhere.
        fakes[name].answers = [Response(status_code=400)]
        with pytest.raises(InvalidRequest):
            await ask(engine)
        assert engine.up == {"a", "b"}
        # One that is full is not waited for while another is not.
        fakes[name].answers = [Response(status_code=429, headers={"retry-after": "30"})]
        assert (await ask(engine)).served_by == other
        assert engine.up == {"a", "b"}
        for fake in fakes.values():
            fake.answers = [Response(status_code=503)]
        with pytest.raises(Unavailable):
            await ask(engine)


async def test_the_service_begins_without_those_that_are_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several_endpoints, "_GRACE_S", 0.1)
    late = fresh(EXACT)
    late.answers = [Response(status_code=503)] * 1000
    async with several(late, fresh(EXACT)) as engine:
        assert engine.up == {"b"}
        assert (await ask(engine)).served_by == "b"
        late.answers.clear()
        await until(lambda: engine.up == {"a", "b"}, 30)
    monkeypatch.setattr(several_endpoints, "_GRACE_S", 60)
    with pytest.raises(Unsupported, match=r"endpoint b: .*401"):
        async with several(fresh(EXACT), replace(fresh(EXACT), answers=[Response(status_code=401)] * 2)):
            raise AssertionError("it is refused")


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ("{", "must be a JSON list"),
        ("[]", "must be a JSON list"),
        ('[{"name": "a", "url": "ftp://x"}]', "url: "),
        ('[{"name": "a", "url": "http://x/v1", "speed": 3}]', "speed: "),
        ('[{"name": "a", "url": "http://x/v1", "weight": 0}]', "weight: "),
        ('[{"name": "a", "url": "http://x/v1"}, {"name": "a", "url": "http://y/v1"}]', "a name of its own"),
        ('[{"name": "a", "url": "http://x/v1", "key_env": "NO_SUCH_VARIABLE"}]', "not set"),
        ('[{"name": "a", "url": "http://x/v1", "key_file": "/no/such/file"}]', "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(listed: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GenerationSettings(engine="openai", endpoints=listed)


def test_keys_come_from_variables_and_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MY_KEY", "sk-one")
    (tmp_path / "key").write_text("sk-two\n")
    files = {"name": "b", "url": "https://y/v1", "key_file": str(tmp_path / "key"), "api": "chat"}
    one, two = read_endpoints(json.dumps([{"name": "a", "url": "https://x/v1", "key_env": "MY_KEY"}, files]))
    settings = GenerationSettings(engine="simulated").model_copy(update=two.overrides())
    assert (settings.endpoint_key.get_secret_value(), settings.endpoint_api) == ("sk-two", "chat")  # type: ignore[union-attr]
    assert one.key().get_secret_value() == "sk-one"  # type: ignore[union-attr]
    assert "sk-" not in repr((one, two, settings))


async def test_hints_are_sent_where_they_are_named_and_tell_no_name() -> None:
    names = "x-fairness-id, x-gateway-inference-fairness-id, x-session-id, priority, prompt_cache_key"
    fakes = {False: fresh(EXACT), True: fresh(EXACT)}
    turns = (Message("system", "Be kind."), Message("user", "Hi"), Message("assistant", "Hi."), *QUESTION)
    sent: dict[bool, list[dict[str, Any]]] = {True: [], False: []}
    for named, fake in fakes.items():
        async with several(fake, hints=names if named else "") as engine:
            generator = build_generator(engine, GenerationSettings())
            calls = (("s1", "e1", turns), ("s1", "e2", turns), ("s2", "e3", turns), ("", "e4", QUESTION))
            for salt, evolution, messages in calls:
                request = GenerateRequest(
                    (Sequence("0", messages, max_new_tokens=3),), cache_salt=salt, evolution=evolution, priority=-1
                )
                _ = [each async for each in generator.generate(request)]
                sent[named].append(fake.asked | fake.headers[-1])
    hints = [name.strip() for name in names.split(",")]
    assert not any(name in each for each in sent[False] for name in hints)
    first, second, third, last = sent[True]
    assert all(each["priority"] == -1 for each in sent[True])
    assert first["x-fairness-id"] == second["x-fairness-id"] == first["x-gateway-inference-fairness-id"]
    assert first["x-fairness-id"] not in (third["x-fairness-id"], "s1")
    assert "x-fairness-id" not in last, "without keys there are no tenants"
    assert len({each["x-session-id"] for each in sent[True]}) == 4
    assert first["prompt_cache_key"] == second["prompt_cache_key"] != third["prompt_cache_key"]
    with pytest.raises(ValidationError, match="x-fairness-id"):
        GenerationSettings(engine="simulated", hints="x-tenant")
