import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from services.gateway.api.requests import ChatCompletionRequest, EvolutionCreate
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import ModelNotFound
from shared.errors import InvalidRequest
from shared.methods import METHODS
from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search

USER = {"role": "user", "content": "Why?"}
CACHED = {"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral", "ttl": "1h"}}


def accepted(**fields: Any) -> EvolutionRequest:
    body = {"model": "darwin", "messages": [USER]} | fields
    return evolution_request(ChatCompletionRequest.model_validate(body), GatewaySettings())


def refused(**fields: Any) -> str | None:
    with pytest.raises(InvalidRequest) as caught:
        accepted(**fields)
    return caught.value.field


def test_defaults() -> None:
    request = accepted()
    assert request.search == Search()
    assert request.sampling == Sampling(max_tokens=512)
    assert (request.n, request.profile, request.seeded, request.metadata) == (1, "", False, {})
    assert accepted().seed != request.seed
    assert abs(request.accepted_at - time.time()) < 3600


def test_the_papers_settings_are_a_preset() -> None:
    search = accepted(darwin={"preset": "paper"}).search
    assert (search.cycles, search.mutants, search.period, search.survivors) == (1, 5, 40, 3)
    assert search.mutation == "model"


def test_what_a_caller_gives_goes_before_the_preset() -> None:
    search = accepted(darwin={"preset": "paper", "period": 7, "mutation": "templates"}).search
    assert (search.period, search.survivors, search.mutation) == (7, 3, "templates")


def test_sample_has_no_cycle() -> None:
    assert accepted(model="sample").search.cycles == 0
    assert accepted(model="sample", darwin={"cycles": 0}).search.cycles == 0
    assert refused(model="sample", darwin={"cycles": 1}) == "darwin.cycles"


@pytest.mark.parametrize("method", [method for method in METHODS if method != "sample"])
def test_every_other_method_has_one(method: str) -> None:
    assert accepted(model=method).search.cycles == 1
    assert refused(model=method, darwin={"cycles": 0}) == "darwin.cycles"


@pytest.mark.parametrize("method", ["darwin", "replacement-only"])
def test_survivors_are_fewer_than_mutants_where_responses_are_replaced(method: str) -> None:
    assert refused(model=method, darwin={"mutants": 3, "survivors": 3}) == "darwin.survivors"
    assert refused(model=method, darwin={"mutants": 1, "survivors": 1}) == "darwin.mutants"
    assert accepted(model=method, darwin={"mutants": 2, "survivors": 1}).search.survivors == 1


@pytest.mark.parametrize("method", ["best-of-n", "mutation-only", "sample"])
def test_survivors_do_not_matter_elsewhere(method: str) -> None:
    assert accepted(model=method, darwin={"mutants": 1}).search.mutants == 1


@pytest.mark.parametrize(
    ("model", "darwin", "most"),
    [
        ("darwin", {}, 6),
        ("darwin", {"cycles": 3, "mutants": 4}, 13),
        ("best-of-n", {"mutants": 1}, 2),
        ("sample", {}, 1),
    ],
)
def test_n_is_what_the_search_can_give(model: str, darwin: dict[str, int], most: int) -> None:
    assert accepted(model=model, darwin=darwin, n=most).n == most
    assert refused(model=model, darwin=darwin, n=most + 1) == "n"


def test_max_tokens_has_two_names() -> None:
    assert accepted(max_tokens=7).sampling.max_tokens == 7
    assert accepted(max_completion_tokens=8).sampling.max_tokens == 8
    assert accepted(max_tokens=9, max_completion_tokens=9).sampling.max_tokens == 9
    assert refused(max_tokens=9, max_completion_tokens=8) == "max_tokens"
    assert refused(max_tokens=4097) == "max_tokens"
    assert refused(max_completion_tokens=4097) == "max_completion_tokens"


def test_conversation() -> None:
    parts = [{"type": "text", "text": "Be "}, {"type": "text", "text": "kind."}]
    messages = [
        {"role": "developer", "content": parts},
        USER,
        {"role": "assistant", "content": "So.", "refusal": None, "annotations": [], "tool_calls": None},
        USER,
    ]
    assert accepted(messages=messages).messages == (
        Message("system", "Be kind."),
        Message("user", "Why?"),
        Message("assistant", "So."),
        Message("user", "Why?"),
    )
    begun = {"role": "assistant", "content": "It "}
    assert accepted(messages=[USER, begun]).messages == (Message("user", "Why?"), Message("assistant", "It "))
    assert accepted(messages=[USER, {"role": "developer", "content": "x"}]).messages[-1] == Message("system", "x")
    assert accepted(messages=[{"role": "system", "content": "x"}]).messages == (Message("system", "x"),)
    assert refused(messages=[begun]) == "messages"
    assert refused(messages=[{"role": "user", "content": " \n"}]) == "messages.0.content"


def test_conversations_are_bounded() -> None:
    half = {"role": "user", "content": "x" * 100_000}
    assert len(accepted(messages=[half, half]).messages) == 2
    assert refused(messages=[half, half, {"role": "user", "content": "y"}]) == "messages"


def test_what_a_search_records_is_bounded() -> None:
    with pytest.raises(InvalidRequest, match=r"raise darwin\.period, or lower max_tokens") as caught:
        accepted(max_tokens=4096, darwin={"period": 1, "mutants": 32})
    assert caught.value.field == "darwin.period"
    assert accepted(max_tokens=4096, darwin={"period": 40, "mutants": 32}).search.mutants == 32
    assert accepted(max_tokens=4096, model="best-of-n", darwin={"period": 1, "mutants": 32, "cycles": 8}).search.period
    # 1 cycle x 100 rounds x 8 mutants x 50 tokens on average
    exact = GatewaySettings(max_history_tokens=40_000)
    body = {"model": "darwin", "messages": [USER], "max_tokens": 100, "darwin": {"period": 1, "mutants": 8}}
    evolution_request(ChatCompletionRequest.model_validate(body), exact)
    with pytest.raises(InvalidRequest):
        evolution_request(ChatCompletionRequest.model_validate(body | {"max_tokens": 101}), exact)


def test_budgets() -> None:
    search = accepted(darwin={"max_reward_calls": 7, "max_generated_tokens": 8, "deadline_ms": 900}).search
    assert (search.max_reward_calls, search.max_generated_tokens, search.deadline_ms) == (7, 8, 900)
    assert accepted().search.max_reward_calls is None


def test_zero_temperature_is_not_the_default() -> None:
    assert accepted(temperature=0).sampling.temperature == 0.0
    assert accepted(temperature=None).sampling.temperature == 0.7


def test_seed_is_kept() -> None:
    assert (accepted(seed=0).seed, accepted(seed=0).seeded) == (0, True)
    assert accepted(seed=7.0).seed == 7


def test_negative_seeds_are_seeds_but_one() -> None:
    assert (accepted(seed=-5).seed, accepted(seed=-5).seeded) == (2**53 - 5, True)
    assert (accepted(seed=-(2**63)).seed, accepted(seed=-(2**63)).seeded) == (0, True)
    assert not accepted(seed=-1).seeded
    assert accepted(seed=-1).seed != accepted(seed=-1).seed


def test_what_shapes_sampling() -> None:
    fields = {"presence_penalty": -2, "frequency_penalty": 0.5, "repetition_penalty": 1.2, "min_p": 0.1}
    sampling = accepted(**fields, logit_bias={"42": -100, "7": 1.5, "9": 0}, ignore_eos=True).sampling
    assert {name: getattr(sampling, name) for name in fields} == fields
    assert (sampling.logit_bias, sampling.ignore_eos) == ({42: -100.0, 7: 1.5}, True)
    silent = {"presence_penalty": 0, "repetition_penalty": 1, "min_p": None, "logit_bias": {}, "ignore_eos": False}
    assert accepted(**silent).sampling == Sampling(max_tokens=512)
    assert accepted(**silent, frequency_penalty=1).warnings == ()
    assert len(accepted(logit_bias={str(token): 1 for token in range(300)}).sampling.logit_bias) == 300
    with pytest.raises(ValidationError, match="must have at most 300 entries, not 301"):
        accepted(logit_bias={str(token): 1 for token in range(301)})


def test_top_k() -> None:
    assert accepted(top_k=5).sampling.top_k == 5
    assert accepted(top_k=0).sampling.top_k == accepted(top_k=-1).sampling.top_k == 0
    assert accepted(top_k=None).sampling.top_k == Sampling(max_tokens=1).top_k


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, []),
        ({"safety_identifier": None, "service_tier": "auto", "store": False}, []),
        ({"service_tier": "default", "stream_options": {"include_obfuscation": False}}, []),
        ({"service_tier": "flex"}, []),
        ({"safety_identifier": "x"}, ["safety_identifier"]),
        ({"prompt_cache_options": {}}, []),
        ({"prompt_cache_options": {"ttl": "1h"}}, ["prompt_cache_options"]),
        ({"reasoning_effort": "low", "include_reasoning": False}, []),
        ({"prompt_cache_key": "", "prompt_cache_retention": "24h"}, ["prompt_cache_key", "prompt_cache_retention"]),
        ({"verbosity": "low", "store": True, "service_tier": "scale"}, ["service_tier", "store", "verbosity"]),
        (
            {"stream_options": {"include_obfuscation": True, "continuous_usage_stats": True, "include_usage": True}},
            ["stream_options.include_obfuscation", "stream_options.continuous_usage_stats"],
        ),
        ({"messages": [USER | {"name": "Ann"}, USER | {"name": "Bob"}]}, ["messages[].name"]),
        ({"messages": [{"role": "user", "content": [CACHED, CACHED]}]}, ["messages[].content[].cache_control"]),
    ],
)
def test_warns_of_what_has_no_effect(fields: dict[str, Any], named: list[str]) -> None:
    assert accepted(**fields).warnings == tuple(f"{name} is taken without effect" for name in named)


@pytest.mark.parametrize(
    ("asked", "served"),
    [(None, "default"), ("auto", "default"), ("flex", "flex"), ("priority", "priority"), ("fast", "priority")],
)
def test_a_service_tier_is_obeyed(asked: str | None, served: str) -> None:
    assert accepted(service_tier=asked).service_tier == served


def test_progress_has_no_effect_where_nothing_is_streamed() -> None:
    def warnings(progress: str) -> tuple[str, ...]:
        body = {"model": "darwin", "messages": [USER], "darwin": {"progress": progress}}
        return evolution_request(EvolutionCreate.model_validate(body), GatewaySettings()).warnings

    assert warnings("off") == ("darwin.progress is taken without effect",)
    assert warnings("on") == ()


def test_requests_without_warnings_are_read_as_before() -> None:
    adapter = TypeAdapter(EvolutionRequest)
    before = adapter.dump_python(accepted(), mode="json")
    assert before.pop("warnings") == []
    assert adapter.validate_json(json.dumps(before)).warnings == ()
    assert adapter.validate_json(adapter.dump_json(accepted(store=True))).warnings == ("store is taken without effect",)


def test_an_assistants_turn_may_be_a_refusal_or_nothing() -> None:
    refused, silent = {"content": None, "refusal": "No."}, {"content": None, "tool_calls": []}
    messages = [USER, {"role": "assistant"} | refused, USER, {"role": "assistant"} | silent, USER]
    assert [message.content for message in accepted(messages=messages).messages] == ["Why?", "No.", "Why?", "", "Why?"]


@given(st.text(min_size=1, max_size=30).filter(lambda name: name.rpartition("/")[2] not in METHODS))
def test_only_methods_are_models(name: str) -> None:
    with pytest.raises(ModelNotFound, match="choose one of darwin"):
        accepted(model=name)
