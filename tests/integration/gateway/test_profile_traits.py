"""What a profile's content says of itself, in what evolutions begin with."""

import json

from shared.records.profiles import Traits
from shared.store.layout import REQUEST, dumped
from tests.integration.gateway.test_profiles import BRIEF, LONG, SURE, WISHED, WISHES, App, open_app, url

__all__ = ["open_app", "url"]


async def test_an_evolution_begins_with_the_wishes_of_its_version(open_app: App) -> None:
    async with open_app.caller() as http:
        await http.put("/v1/profiles/brief", json={"content": WISHED})
        await http.put("/v1/profiles/brief", json={"content": LONG, "promote": True})
        assert (await open_app.begun(http, profile="brief")).wishes == ()
        assert (await open_app.begun(http, profile="brief@1")).wishes == WISHES
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": {"profile": "brief@1"}}
        started = (await http.post("/v1/evolutions", json=body)).json()
        shown = (await http.get(f"/v1/evolutions/{started['id']}")).json()
        assert shown["settings"]["wishes"] == list(WISHES)


async def test_a_file_of_the_reward_services_has_its_wishes_too(open_app: App) -> None:
    open_app.reward.traits = {"default": Traits(wishes=WISHES)}
    async with open_app.caller() as http:
        assert (await open_app.begun(http)).wishes == WISHES


async def test_what_the_version_before_kept_has_no_wishes_and_reads_no_self_certainty(open_app: App) -> None:
    """Its requests and profiles lack the fields, and without them its workers are given none that they do not know."""
    async with open_app.caller() as http:
        plain = await open_app.begun(http)
        assert not {"wishes", "self_certainty"} & json.loads(dumped(REQUEST, plain, sparse=True)).keys()
        store = open_app.profiles.store
        await store.push("", "old", LONG, "ops", "", promote=True)
        key = store._versions("")
        body = json.loads(await store._redis.hget(key, "old@1"))
        del body["wishes"], body["self_certainty"]
        await store._redis.hset(key, "old@1", json.dumps(body))
        begun = await open_app.begun(http, profile="old")
        assert (begun.wishes, begun.self_certainty) == ((), False)


async def test_an_evolution_keeps_that_its_profile_reads_self_certainty(open_app: App) -> None:
    open_app.reward.traits = {"default": Traits(self_certainty=True)}
    async with open_app.caller() as http:
        for content in (BRIEF, SURE, LONG):
            await http.put("/v1/profiles/sure", json={"content": content})
        begun = [await open_app.begun(http, profile=f"sure@{version}") for version in (1, 2, 3)]
        assert [each.self_certainty for each in begun] == [False, True, False]
        assert (await open_app.begun(http)).self_certainty
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": {"profile": "sure@2"}}
        started = (await http.post("/v1/evolutions", json=body)).json()
        assert (await http.get(f"/v1/evolutions/{started['id']}")).json()["settings"]["self_certainty"] is True


async def test_an_evolution_keeps_that_its_profile_compares_responses(open_app: App) -> None:
    app = open_app
    async with app.caller() as http:
        compares = "# compares"
        for content in (BRIEF, compares, LONG):
            await http.put("/v1/profiles/fair", json={"content": content})
        begun = [await app.begun(http, profile=f"fair@{version}", token_price=1) for version in (1, 2, 3)]
        assert [each.relative_rewards for each in begun] == [False, True, False]
        many = {"profile": "fair@2", "cycles": 32, "mutants": 8, "survivors": 2}
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": many, "max_tokens": 8}
        refused = await http.post("/v1/evolutions", json=body)
        assert refused.status_code == 400
        assert refused.json()["error"]["param"] == "darwin.cycles"
