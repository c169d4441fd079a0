"""Shadows, canaries and feedback over HTTP."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.gateway.profiles.managed import ManagedProfiles
from shared.errors import Overloaded
from shared.records.evidence import Evidence
from shared.records.evolution import Choice, Record, Result, Seconds, Tokens
from shared.records.profiles import ManagedProfile
from shared.store.rollouts import Rollouts
from tests.integration.gateway.test_profiles import BRIEF, LONG, SURE, App, guarded_app, open_app, url

__all__ = ["guarded_app", "open_app", "url"]

BODY = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}]}


async def pushed(http: httpx.AsyncClient, name: str = "brief") -> None:
    for content in (BRIEF, LONG):
        assert (await http.put(f"/v1/profiles/{name}", json={"content": content})).status_code == 200


async def ended(app: App, http: httpx.AsyncClient, **body: Any) -> Record:
    """An evolution that was accepted, with an answer."""
    started = await http.post("/v1/evolutions", json=BODY | {"darwin": {"profile": "brief"}} | body)
    assert started.status_code == 202, started.text
    store = app.backends.store
    record = await store.load(started.json()["id"])
    choice = Choice("Because.", "stop", 2, 1.0, {}, "Why?", 0, None)
    result = Result((choice,), choice, Tokens(), Seconds(), 1)
    record = replace(record, version=1, status="succeeded", finished_at=record.created_at, result=result)
    await store.save(record, ())
    return record


async def test_a_shadow_changes_nothing_for_callers_and_is_shown(open_app: App) -> None:
    async with open_app.caller() as http:
        await pushed(http)
        shown = (await http.post("/v1/profiles/brief/shadow", json={"version": 2, "share": 0.25})).json()
        assert shown["shadow"] == {
            "version": 2, "share": 0.25, "evolutions": 0, "picks": 0, "decisions": 0, "differing": 0
        }  # fmt: skip
        assert ("brief@2", LONG) in open_app.reward.loaded
        begun = await open_app.begun(http, profile="brief")
        assert (begun.profile, begun.profile_canary) == ("brief@1", None)
        refused = await http.post("/v1/profiles/brief/shadow", json={"version": 1})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "version")
        assert (await http.post("/v1/profiles/brief/shadow", json={"version": 9})).status_code == 404
        assert (await http.delete("/v1/profiles/brief/shadow", params={"reason": "seen"})).json()["shadow"] is None
        assert (await http.delete("/v1/profiles/brief/shadow")).status_code == 200
        [change, *_] = (await http.get("/v1/profiles/brief")).json()["history"]
        assert (change["kind"], change["reason"]) == ("shadow_ended", "seen")


async def test_a_canary_is_judged_by_feedback_once_for_each_evolution(open_app: App) -> None:
    async with open_app.caller() as http:
        await pushed(http)
        terms = {"version": 2, "share": 0.5, "by": "evolution"}
        started = (await http.post("/v1/profiles/brief/canary", json=terms)).json()["canary"]
        assert (started["by"], started["metric"], started["level"], started["verdict"]) == (
            "evolution", "feedback", 0.05, None
        )  # fmt: skip
        # Sent again, it goes on; another one waits for its end.
        assert (await http.post("/v1/profiles/brief/canary", json=terms)).status_code == 200
        assert (await http.post("/v1/profiles/brief/canary", json=terms | {"share": 0.1})).status_code == 409
        records = [await ended(open_app, http) for _ in range(12)]
        assert {record.request.profile for record in records} == {"brief@1", "brief@2"}
        outside = await ended(open_app, http, darwin={"profile": "brief@2"})
        assert outside.request.profile_canary is None
        for record in [*records, outside, records[0]]:
            given = await http.post(f"/v1/evolutions/{record.id}/feedback", json={"score": 0.5})
            assert given.json() == {"evolution": record.id, "object": "evolution.feedback", "score": 0.5}
        shown = (await http.get("/v1/profiles/brief")).json()["canary"]
        counts = [sum(record.request.profile == f"brief@{version}" for record in records) for version in (1, 2)]
        assert [shown[arm]["outcomes"] for arm in ("promoted", "canary")] == counts
        assert [shown[arm]["mean"] for arm in ("promoted", "canary")] == [0.5, 0.5]
        again = await http.post(f"/v1/evolutions/{records[0].id}/feedback", json={"score": 1})
        assert (again.status_code, "0.5" in again.json()["error"]["message"]) == (409, True)
        ending = await http.delete("/v1/profiles/brief/canary", params={"reason": "enough"})
        assert ending.json()["canary"] is None
        [change, *_] = ending.json()["history"]
        assert change["kind"] == "canary_ended"
        assert change["reason"].startswith("enough (difference +0.000 [")
        assert (await open_app.begun(http, profile="brief")).profile == "brief@1"


async def test_feedback_is_the_owners_to_give_about_an_answer(guarded_app: App) -> None:
    async with (
        guarded_app.caller("acme", own_profiles=True) as acme,
        guarded_app.caller("other") as other,
    ):
        await pushed(acme)
        record = await ended(guarded_app, acme)
        told = [await other.post(f"/v1/evolutions/{each}/feedback", json={"score": 1}) for each in (record.id, "evo_0")]
        assert {each.status_code for each in told} == {404}
        running = (await acme.post("/v1/evolutions", json=BODY)).json()["id"]
        early = await acme.post(f"/v1/evolutions/{running}/feedback", json={"score": 1})
        assert (early.status_code, "no answer yet" in early.json()["error"]["message"]) == (409, True)
        for score in (1.1, -0.1, "1", None):
            refused = await acme.post(f"/v1/evolutions/{record.id}/feedback", json={"score": score})
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "score")


async def test_a_judge_is_a_profile_that_the_owner_may_use(guarded_app: App) -> None:
    async with (
        guarded_app.caller("acme", own_profiles=True) as acme,
        guarded_app.caller("other", own_profiles=True) as other,
    ):
        await pushed(acme)
        await pushed(other, "kind")
        path, terms = "/v1/profiles/brief/canary", {"version": 2, "metric": "judge"}
        for wrong in ({}, {"judge": "kind"}, {"judge": "kind", "metric": "feedback"}):
            refused = await acme.post(path, json=terms | wrong)
            assert (refused.status_code, refused.json()["error"]["param"]) == (400, "judge")
        started = await acme.post(path, json=terms | {"judge": "default"})
        assert started.json()["canary"]["judge"] == "default@1"
        foreign = [await other.request(way, path, json=terms if way == "POST" else None) for way in ("POST", "DELETE")]
        assert {each.status_code for each in foreign} == {404}


@pytest.mark.parametrize(("verdict", "promoted"), [("better", 2), ("worse", 1)])
async def test_a_gateway_puts_the_verdict_of_an_automatic_canary_into_effect(
    open_app: App, monkeypatch: pytest.MonkeyPatch, verdict: Any, promoted: int
) -> None:
    async def evidence(rollouts: Rollouts, canary: Any) -> Evidence:
        return Evidence(counts=(900, 100), sums=(450.0, 60.0), lower=0.01, upper=0.2, verdict=verdict, after=1000)

    async def seen() -> ManagedProfile:
        return await open_app.profiles.store.get("", "brief")

    monkeypatch.setattr(Rollouts, "evidence", evidence)
    async with open_app.caller() as http:
        await pushed(http)
        await http.post("/v1/profiles/brief/canary", json={"version": 2})
        await open_app.profiles.conclude("", await seen())
        assert (await seen()).canary, "nobody has asked for that"
        await http.delete("/v1/profiles/brief/canary")
        await http.post("/v1/profiles/brief/canary", json={"version": 2, "automatic": True})
        before = await seen()
        for manager in (open_app.profiles, ManagedProfiles(open_app.profiles.store, open_app.reward)):
            await manager.conclude("", before)
        after = await seen()
        assert (after.promoted, after.canary) == (promoted, None)
        [change, previous, *_] = (await http.get("/v1/profiles/brief")).json()["history"]
        assert change["by"].startswith("canary ")
        assert change["reason"].startswith(f"{verdict} by feedback: difference +0.100 [+0.010, +0.200] after 1000")
        assert previous["kind"] == "canary_started"


async def test_what_is_tried_is_kept_loaded_and_what_cannot_be_holds_up_no_other(
    open_app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_app.caller() as http:
        for name in ("brief", "calm"):
            await pushed(http, name)
            await http.post(f"/v1/profiles/{name}/shadow", json={"version": 2})
    loaded: list[str] = []
    last = asyncio.Event()

    async def load(reference: str, content: str) -> None:
        if reference == "brief@2":
            raise Overloaded("reward models take 9 MiB of 8 MiB")
        loaded.append(reference)
        if reference == "default@1":
            last.set()

    monkeypatch.setattr(open_app.reward, "load", load)
    keeping = asyncio.ensure_future(open_app.profiles.keep_loaded())
    await asyncio.wait_for(last.wait(), 20)
    keeping.cancel()
    assert loaded == ["brief@1", "calm@1", "calm@2", "default@1"]


async def test_what_reads_self_certainty_judges_nothing_and_shadows_what_reads_it_too(open_app: App) -> None:
    path = "/v1/profiles/brief"
    async with open_app.caller() as http:
        await pushed(http)
        await http.put(path, json={"content": SURE})
        refused = await http.post(f"{path}/shadow", json={"version": 3})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "version")
        assert "do not record: start a canary" in refused.json()["error"]["message"]
        terms = {"version": 2, "metric": "judge", "judge": "brief@3"}
        refused = await http.post(f"{path}/canary", json=terms)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "judge")
        await http.put(path, json={"content": f"# anew\n{SURE}", "promote": True})
        assert [(await http.post(f"{path}/shadow", json={"version": version})).status_code for version in (3, 1)] == [
            200,
            200,
        ]


async def test_what_compares_responses_neither_shadows_nor_judges(open_app: App) -> None:
    async with open_app.caller() as http:
        await pushed(http)
        await http.put("/v1/profiles/brief", json={"content": "# compares"})
        refused = await http.post("/v1/profiles/brief/shadow", json={"version": 3})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "version")
        assert "compare responses" in refused.json()["error"]["message"]
        terms = {"version": 2, "metric": "judge", "judge": "brief@3"}
        refused = await http.post("/v1/profiles/brief/canary", json=terms)
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "judge")
        # As a canary it scores the searches of its own.
        terms = {"version": 3, "share": 0.99, "by": "evolution"}
        started = await http.post("/v1/profiles/brief/canary", json=terms)
        assert started.status_code == 200, started.text
        begun = [await open_app.begun(http, profile="brief") for _ in range(5)]
        assert [each.relative_rewards for each in begun] == [each.profile == "brief@3" for each in begun]
        assert any(each.relative_rewards for each in begun)
