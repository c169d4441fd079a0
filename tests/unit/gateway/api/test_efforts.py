"""How much is searched: by effort, by the price of tokens of a profile, and by what a caller says."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from shared.errors import InvalidRequest
from shared.records.search import Search
from tests.unit.gateway.api.test_validation import USER, accepted

PRICED = GatewaySettings(
    token_prices='{"": 0.5, "brief": 0}',
    models='{"own": {"settings": {"cycles": 2, "token_price": 2}}, "brief": {"profile": "brief"}}',
)


def priced(settings: GatewaySettings = PRICED, **fields: Any) -> Search:
    body = {"model": "darwin", "messages": [USER]} | fields
    return evolution_request(ChatCompletionRequest.model_validate(body), settings).search


def test_high_efforts_search_a_second_cycle_unless_the_deployment_has_a_price_at_which_it_does_not_pay() -> None:
    found = {effort: priced(GatewaySettings(), reasoning_effort=effort) for effort in ("low", "high", "xhigh", "max")}
    told = {effort: (search.mutants, search.cycles, search.token_price) for effort, search in found.items()}
    assert told["low"] == (3, 1, None)
    assert told["high"] == (8, 2, None)
    assert told["xhigh"] == (12, 2, None)
    assert told["max"] == (16, 2, None)
    assert priced(reasoning_effort="xhigh").token_price == 0.5
    assert all(search.survivors < search.mutants for search in found.values())
    assert priced(GatewaySettings(), reasoning_effort="high", darwin={"preset": "paper"}) == priced(
        GatewaySettings(), darwin={"preset": "paper"}
    )
    assert priced(reasoning_effort="high", darwin={"token_price": None}).token_price is None


def test_several_cycles_have_the_price_of_their_profile() -> None:
    assert priced() == Search()
    assert priced(darwin={"cycles": 2}).token_price == 0.5
    assert priced(darwin={"cycles": 2, "profile": "brief"}).token_price == 0
    assert priced(darwin={"cycles": 2, "profile": "other"}).token_price is None
    assert priced(model="brief", darwin={"cycles": 2}).token_price == 0
    assert priced(model="own").token_price == 2
    assert priced(model="own", darwin={"token_price": 3}).token_price == 3
    assert priced(darwin={"cycles": 2, "token_price": None}).token_price is None
    assert priced(darwin={"cycles": 2, "preset": "paper"}).token_price is None
    assert priced(reasoning_effort="high").token_price == 0.5
    assert priced(model="sample") == Search(cycles=0)


def test_an_effort_without_a_second_cycle_leaves_out_mutants_that_need_one() -> None:
    own = GatewaySettings(models='{"own": {"settings": {"cycles": 2, "crossover": 3, "refine": true}}}')
    found = {each: priced(own, model="own", reasoning_effort=each) for each in ("none", "minimal", "low", "high")}
    assert {effort: (search.crossover, search.refine) for effort, search in found.items()} == {
        "none": (0, False),
        "minimal": (0, False),
        "low": (0, False),
        "high": (3, True),
    }
    assert priced(own, model="own").crossover == 3
    with pytest.raises(InvalidRequest, match=r"two darwin\.cycles or more"):
        priced(own, model="own", reasoning_effort="low", darwin={"crossover": 2})
    with pytest.raises(InvalidRequest, match=r"two darwin\.cycles or more"):
        priced(own, model="own", darwin={"cycles": 1})
    with pytest.raises(ValidationError, match=r"settings\.crossover builds on"):
        GatewaySettings(models='{"own": {"settings": {"crossover": 3}}}')


def test_an_effort_sets_how_much_is_searched_unless_the_caller_says_so() -> None:
    assert [accepted(reasoning_effort=each).search.mutants for each in ("minimal", "low", "medium", "high")] == [
        2,
        3,
        5,
        8,
    ]
    assert accepted().search.mutants == 5
    assert accepted(reasoning_effort="xhigh", darwin={"mutants": 4, "period": 9}).search.mutants == 4
    assert accepted(reasoning_effort="minimal", darwin={"preset": "paper"}).search.mutants == 5
    assert accepted(reasoning_effort="minimal", darwin={"period": 9}).search.mutants == 2
    assert accepted(reasoning_effort="medium").search == Search()
    assert accepted(reasoning_effort="low", darwin={"cycles": 2}).search.cycles == 2
    spare = accepted(reasoning_effort="none")
    assert (spare.method, spare.search.cycles, spare.reasoning_effort) == ("sample", 0, "none")
    assert accepted(reasoning_effort="none", darwin={"mutants": 3}).method == "darwin"
    assert accepted(reasoning_effort="none", darwin={"progress": "off"}).method == "sample"
