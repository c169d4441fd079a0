from dataclasses import replace

import pytest

from services.orchestrator.core.presets import config_for
from shared.errors import InvalidRequest
from shared.methods import METHODS, Method
from shared.records.evolution import EvolutionRequest, Message, RawPrompt, Sampling
from shared.records.search import Search

REQUEST = EvolutionRequest("darwin", (Message("user", "Hi"),), Sampling(200), Search(), seed=1)


@pytest.mark.parametrize(
    ("method", "cycles", "mutate", "replaces", "period"),
    [
        ("sample", 0, False, False, 200),
        ("best-of-n", 1, False, False, 200),
        ("mutation-only", 1, True, False, 200),
        ("replacement-only", 1, False, True, 40),
        ("darwin", 1, True, True, 40),
    ],
)
def test_methods(method: Method, cycles: int, mutate: bool, replaces: bool, period: int) -> None:
    config = config_for(replace(REQUEST, method=method))
    assert (config.cycles, config.mutate, config.replace, config.period) == (cycles, mutate, replaces, period)
    assert config.survivors == 1


@pytest.mark.parametrize("method", METHODS)
def test_a_raw_prompt_is_never_rewritten(method: Method) -> None:
    plain = config_for(replace(REQUEST, method=method))
    raw = config_for(replace(REQUEST, method=method, raw_prompt=RawPrompt()))
    assert raw == replace(plain, mutate=False)


def test_all_surviving_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nothing is ever replaced") as caught:
        config_for(replace(REQUEST, search=Search(mutants=3, survivors=3)))
    assert caught.value.field == "darwin.survivors"


def test_more_answers_than_final_responses_is_refused() -> None:
    assert config_for(replace(REQUEST, n=6))
    with pytest.raises(InvalidRequest) as caught:
        config_for(replace(REQUEST, n=7))
    assert caught.value.field == "n"
