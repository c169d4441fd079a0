"""Which names are answered, and by what."""

from typing import Any

import httpx
import pytest

from services.gateway.api import serializers
from services.gateway.api.model_names import model_named
from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.validation import evolution_request
from services.gateway.config.model_entry import ModelEntry
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.errors import ModelNotFound
from shared.methods import METHODS
from shared.records.evolution import EvolutionRequest, Record
from shared.records.search import PRESETS
from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with, shaped

ENTRIES = {
    "gpt-4o-mini": ModelEntry(method="best-of-n", description="Best of six."),
    "team/careful": ModelEntry.model_validate(
        {"preset": "paper", "profile": "support", "settings": {"cycles": 2, "deadline_ms": 9000}}
    ),
    "careful": ModelEntry(method="sample"),
}
SETTINGS = GatewaySettings(models=ENTRIES)


def accepted(settings: GatewaySettings = SETTINGS, **fields: Any) -> EvolutionRequest:
    return evolution_request(ChatCompletionRequest.model_validate(BODY | fields), settings)


@pytest.mark.parametrize(
    ("name", "method"),
    [
        *((method, method) for method in METHODS),
        ("darwin/best-of-n", "best-of-n"),
        ("openai/darwin", "darwin"),
        ("openai/darwin/best-of-n", "best-of-n"),
        ("openai/gpt-4o-mini", "best-of-n"),
        ("team/careful", "darwin"),
        ("openai/team/careful", "darwin"),
        ("other/careful", "sample"),
    ],
)
def test_a_name_stands_for_its_longest_known_suffix(name: str, method: str) -> None:
    assert model_named(name, SETTINGS).method == method
    request = accepted(model=name)
    assert (request.method, request.model) == (method, name)


@pytest.mark.parametrize("name", ["", "gpt-4o", "darwin/", "best-of-n/x", "Darwin", "notcareful"])
def test_an_unknown_name_is_refused_with_those_that_are_known(name: str) -> None:
    with pytest.raises(ModelNotFound, match=r"choose one of darwin, .*, sample, gpt-4o-mini, team/careful, careful$"):
        model_named(name, SETTINGS)
    assert model_named(name, GatewaySettings(models=ENTRIES, default_model="gpt-4o-mini")).method == "best-of-n"


def test_the_request_goes_before_the_entry() -> None:
    request = accepted(model="team/careful")
    assert (request.search.cycles, request.search.survivors, request.search.deadline_ms) == (2, 3, 9000)
    assert request.profile == "support"
    request = accepted(model="team/careful", darwin={"cycles": 1, "profile": ""})
    assert (request.search.cycles, request.search.survivors, request.profile) == (1, 3, "")
    assert accepted(model="team/careful", darwin={"preset": "default"}).search == PRESETS["default"]


def test_progress_is_no_setting_of_the_search() -> None:
    assert accepted(darwin={"progress": "off"}).search == accepted().search


def test_answers_echo_the_name() -> None:
    record = Record("evo_1", 0, "queued", 1.0, accepted(model="openai/darwin/best-of-n"))
    answered = serializers.evolution(record)
    assert (answered.model, answered.method) == ("openai/darwin/best-of-n", "best-of-n")
    nameless = Record("evo_1", 0, "queued", 1.0, accepted(model="sample"))
    object.__setattr__(nameless.request, "model", "")
    assert serializers.model_of(nameless) == "sample"


async def test_models_are_listed_and_read() -> None:
    app = app_with(Refusing(URL, ttl_s=60), models=ENTRIES)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as http:
        listed = (await http.get("/v1/models")).json()["data"]
        assert [model["id"] for model in listed] == [*METHODS, *ENTRIES]
        assert {model["id"]: model["method"] for model in listed}["team/careful"] == "darwin"
        for path in ("team/careful", "team%2Fcareful"):
            assert (await http.get(f"/v1/models/{path}")).json()["id"] == "team/careful"
        read = (await http.get("/v1/models/openai/gpt-4o-mini")).json()
        assert (read["id"], read["method"], read["description"]) == ("openai/gpt-4o-mini", "best-of-n", "Best of six.")
        assert "gpt-4o-mini" in shaped(await http.get("/v1/models/gpt-4o"), 404, "model", "model_not_found")
        # By 409 the store says that the request was accepted.
        assert (await http.post(CHAT, json=BODY | {"model": "x/y/gpt-4o-mini"})).status_code == 409


async def test_a_default_model_answers_under_any_name() -> None:
    app = app_with(Refusing(URL, ttl_s=60), default_model="darwin")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://localhost") as http:
        assert (await http.post(CHAT, json=BODY | {"model": "gpt-4o-mini"})).status_code == 409
        assert (await http.get("/v1/models/gpt-4o-mini")).json()["id"] == "gpt-4o-mini"
        assert [model["id"] for model in (await http.get("/v1/models")).json()["data"]] == list(METHODS)
        shaped(await http.post(CHAT, json=BODY | {"model": "x" * 257}), 400, "model")
