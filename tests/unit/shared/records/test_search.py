"""A setting is declared once, and every place that is made from the declaration has it."""

import inspect
from dataclasses import fields
from typing import Annotated, get_args

import pytest
from pydantic import ValidationError

from cli.main import align
from services.gateway.api.evolution_settings import EvolutionSettings
from services.gateway.api.requests import SearchSettings
from services.orchestrator.core.values import Config
from shared.errors import InvalidRequest
from shared.methods import METHODS, Method
from shared.records import search
from shared.records.evolution import EvolutionRequest, Sampling
from shared.records.search import (
    PRESETS,
    Search,
    Setting,
    declared_settings,
    in_rounds,
    most_responses,
)
from shared.records.search_rules import check_search

NAMES = [field.name for field in fields(Search)]


def test_every_field_is_a_declared_setting() -> None:
    declared = declared_settings()
    assert [each.name for each in declared] == NAMES
    assert all(each.setting.text.endswith(".") for each in declared)
    assert {each.name: each.default for each in declared} == vars(Search())


def test_a_field_without_a_declaration_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Search\.warmth is declared without a Setting"):
        search._declared("warmth", int, 1)
    with pytest.raises(TypeError, match="without a Setting"):
        search._declared("warmth", Annotated[int, "warm"], 1)
    assert search._declared("warmth", Annotated[int, Setting("How warm.", 0, 3)], 1).setting.most == 3


@pytest.mark.parametrize("name", NAMES)
def test_every_place_has_every_setting(name: str) -> None:
    assert name in SearchSettings.model_fields
    assert name in EvolutionSettings.model_fields
    assert name in inspect.signature(align).parameters
    assert name in {field.name for field in fields(Config)}


def test_bounds_and_texts_are_those_declared() -> None:
    schema = SearchSettings.model_json_schema()["properties"]
    for each in declared_settings():
        found = schema[each.name]
        bounds = found.get("anyOf", [found])[0]
        assert (bounds.get("minimum"), bounds.get("maximum")) == (each.setting.least, each.setting.most), each.name
        assert (found["description"], found["default"]) == (each.setting.text, each.default)


def test_presets_keep_the_bounds() -> None:
    for preset in PRESETS.values():
        assert SearchSettings.model_validate(vars(preset))


def test_every_field_that_determines_a_search_is_answered() -> None:
    answered = EvolutionSettings.model_fields.keys()
    assert {field.name for field in fields(Sampling)} <= answered
    of_request = {field.name for field in fields(EvolutionRequest)}
    elsewhere = {
        "method",
        "model",
        "messages",
        "sampling",
        "search",
        "user",
        "metadata",
        "tenant",
        "profile_canary",
        # Where a price of the search's comes from.
        "profile_priced",
        "accepted_at",
        "warnings",
        "response",
        "tool_use",
        # Known from the first round on, and a part of what the messages say.
        "prefill_thought",
    }
    assert of_request - elsewhere <= answered


def test_the_table_of_methods_is_whole() -> None:
    assert list(METHODS) == list(get_args(Method))
    assert len({traits.colour for traits in METHODS.values()}) == len(METHODS)
    assert all(traits.text.endswith(".") for traits in METHODS.values())


def test_rules_between_settings_name_the_field() -> None:
    for method, given, n, field in (
        ("darwin", Search(cycles=0), 1, "darwin.cycles"),
        ("replacement-only", Search(mutants=1), 1, "darwin.mutants"),
        ("darwin", Search(mutants=3, survivors=3), 1, "darwin.survivors"),
        ("best-of-n", Search(mutants=3), 5, "n"),
        ("darwin", Search(diversity=0.5), 1, "darwin.diversity"),
        ("darwin", Search(diversity=0.5, survivors=2, selection="pessimism"), 1, "darwin.diversity"),
        ("sample", Search(), 2, "n"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            check_search(method, given, n)  # type: ignore[arg-type]
        assert caught.value.field == field
    check_search("mutation-only", Search(mutants=1, survivors=1), 2)
    check_search("darwin", Search(diversity=0.5, survivors=2), 1)


@pytest.mark.parametrize(
    ("method", "given", "field", "said"),
    [
        ("darwin", Search(cycles=2, crossover=1), "darwin.crossover", "at least 2, or 0"),
        ("darwin", Search(crossover=2), "darwin.crossover", "two darwin.cycles or more"),
        ("mutation-only", Search(refine=True), "darwin.refine", "two darwin.cycles or more"),
        ("best-of-n", Search(cycles=2, crossover=3), "darwin.crossover", "use darwin or mutation-only"),
        ("replacement-only", Search(cycles=2, refine=True), "darwin.refine", "use darwin or mutation-only"),
        ("sample", Search(cycles=0, refine=True), "darwin.refine", "sample has no mutants"),
        ("darwin", Search(cycles=2, mutants=2, crossover=2, refine=True), "darwin.crossover", "more than 2"),
        ("mutation-only", Search(cycles=2, mutants=1, refine=True), "darwin.refine", "more than 1"),
    ],
)
def test_mutants_that_quote_need_mutants_and_a_cycle_before(
    method: Method, given: Search, field: str, said: str
) -> None:
    with pytest.raises(InvalidRequest, match=said) as caught:
        check_search(method, given, 1)
    assert caught.value.field == field


def test_mutants_that_quote_leave_others() -> None:
    check_search("darwin", Search(cycles=2, mutants=3, crossover=2, refine=True), 1)
    check_search("mutation-only", Search(cycles=2, mutants=2, crossover=8), 1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("crossover", value) for value in (-1, 9, 2.5, "all")),
        ("refine", "perhaps"),
        ("selection", "tournament"),
        *(("beta", value) for value in (-0.1, 1001, float("nan"), "much")),
        *(("final_beta", value) for value in (-0.1, float("inf"))),
        *(("shrink", value) for value in (0, 0.05, 1.5, float("nan"))),
    ],
)
def test_what_a_setting_cannot_be_is_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        SearchSettings.model_validate({name: value})
    assert refused.value.errors()[0]["loc"] == (name,)


def test_whatever_method_decodes_in_rounds_where_its_population_shrinks() -> None:
    assert [name for name in METHODS if in_rounds(name, Search())] == ["darwin", "replacement-only"]
    assert [name for name in METHODS if not in_rounds(name, Search(shrink=0.5))] == ["sample"]


def test_a_search_gives_a_response_for_each_mutant_and_the_base() -> None:
    assert most_responses("darwin", Search(cycles=2, mutants=4)) == 9
    assert most_responses("sample", Search(cycles=2, mutants=4)) == 1
