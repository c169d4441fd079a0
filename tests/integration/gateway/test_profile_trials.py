"""`POST /v1/profiles/{name}/try` over a real Redis and a scripted reward service."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from services.gateway.evolutions import trials
from services.gateway.profiles.models import Judged, Judgement, LoadedProfile
from shared.errors import DeadlineExceeded, InvalidRequest
from shared.records.events import BaseScored, CycleFinished, CycleStarted, Ended, Event, RoundFinished
from shared.records.evolution import (
    Choice,
    EvolutionRequest,
    Message,
    Record,
    Result,
    Sampling,
    Seconds,
    Tokens,
)
from shared.records.search import Search
from shared.records.spending import NANOS
from shared.store.evolutions import Store
from tests.integration.gateway.test_profiles import BRIEF, LONG, SURE, App, Reward, url

__all__ = ["url"]

TEXTS = ("a middling answer", "a very long answer, longer than any other one", "short")


class Judging(Reward):
    """BRIEF prefers short responses, anything else long ones."""

    def __init__(self) -> None:
        super().__init__()
        self.scored: list[tuple[str, str, list[str]]] = []
        self.relative: list[bool] = []
        self.failure: Exception | None = None
        self.asked = asyncio.Event()
        self.held: asyncio.Event | None = None

    async def score(
        self, profile: LoadedProfile, request: EvolutionRequest, texts: Sequence[str], timeout_s: float
    ) -> Judgement:
        assert timeout_s > 0
        self.asked.set()
        if self.held:
            await self.held.wait()
        if self.failure:
            raise self.failure
        self.relative.append(profile.relative)
        self.scored.append((profile.reference, profile.content, list(texts)))
        sign = -1 if profile.content == BRIEF else 1
        breaks = "rules.no" if "require" in profile.content else ""
        judged = [Judged(sign * float(len(text)), {"length": float(len(text))}, breaks=breaks) for text in texts]
        return Judgement(judged, 10 * len(texts))


@pytest.fixture
async def app(url: str) -> AsyncIterator[App]:
    app = App(url, Judging(), "required")
    yield app
    await app.backends.close()


async def ended(store: Store, name: str, tenant: str, *texts: str) -> str:
    """An evolution whose middling base response was surpassed by the longest of the others."""
    request = EvolutionRequest(
        "darwin",
        (Message("user", f"Why {name}?"),),
        Sampling(64),
        Search(mutants=2),
        1,
        profile="long@1",
        tenant=tenant,
    )
    record = Record(f"evo_{name}", 0, "queued", time.time(), request)
    base, *others = texts
    rewards = tuple(float(len(text)) for text in others)
    events: list[Event] = [BaseScored(base, float(len(base)), 3), CycleStarted(1, "Why?")]
    choices = [Choice(base, "stop", 3, float(len(base)), {}, "Why?", 0, None)]
    if others:
        best = max(range(len(others)), key=rewards.__getitem__)
        done = (True,) * len(others)
        events += [
            RoundFinished(1, 1, tuple(others), rewards, (best,), (), done, 9),
            CycleFinished(1, rewards, (), (), rewards[best]),
        ]
        choices.insert(0, Choice(others[best], "stop", 3, rewards[best], {}, "Why?", 1, best))
    await store.create(record)
    result = Result((choices[0],), choices[-1], Tokens(), Seconds(), 1)
    finished = replace(record, version=1, status="succeeded", finished_at=record.created_at + 1, result=result)
    await store.save(finished, [*events, Ended("succeeded")])
    return record.id


async def tried(http: httpx.AsyncClient, body: dict[str, Any], name: str = "brief", **query: str) -> dict[str, Any]:
    answer = await http.post(f"/v1/profiles/{name}/try", json=body, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_recorded_responses_are_judged_by_a_version_or_by_a_draft(app: App) -> None:
    store, reward = app.backends.store, app.reward
    assert isinstance(reward, Judging)
    evolution = await ended(store, "one", "ops", *TEXTS)
    await ended(store, "alone", "ops", "the only response")
    async with app.caller("ops", manages_profiles=True) as http:
        await http.put("/v1/profiles/brief", json={"content": BRIEF})
        trial = await tried(http, {})
        assert (trial["reference"], trial["skipped"]) == ("brief@1", [])
        told = {"rescored": 1, "changed": 1, "approximate": 0, "reward_tokens": 30, "cost": None}
        assert trial["summary"] == told
        [each] = trial["evolutions"]
        assert (each["id"], each["prompt"], each["profile"]) == (evolution, "Why one?", "long@1")
        assert [final["text"] for final in each["finals"]] == list(TEXTS)
        assert [final["state"] for final in each["finals"]] == [None, 0, 1]
        assert (each["answered"], each["would_answer"], each["changed"]) == (1, 2, True)
        assert [final["recorded"]["reward"] for final in each["finals"]] == [17, 45, 5]
        assert [final["tried"]["reward"] for final in each["finals"]] == [-17, -45, -5]
        draft = await tried(http, {"content": LONG, "evolutions": [evolution]}, "unheard-of")
        assert (draft["reference"], draft["summary"]["changed"]) == ("unheard-of", 0)
        assert reward.checked[-1] == ("unheard-of", LONG, False)
        assert (await http.get("/v1/profiles/unheard-of")).status_code == 404
        required = await tried(http, {"content": "require: all", "evolutions": [evolution]})
        [each] = required["evolutions"]
        assert (each["would_answer"], each["fallback"]) == (0, "requirement_broken")
        assert each["finals"][0]["tried"]["breaks"] == "rules.no"


async def test_what_cannot_be_judged_is_named_with_its_reason(app: App) -> None:
    store, reward = app.backends.store, app.reward
    assert isinstance(reward, Judging)
    alone = await ended(store, "alone", "ops", "the only response")
    whole = await ended(store, "whole", "ops", *TEXTS)
    async with app.caller("ops", manages_profiles=True) as http:
        running = (await app.begun(http), await app.backends.store.listed("ops", None, 1))[1][0].id
        trial = await tried(http, {"content": BRIEF, "evolutions": [alone, running, alone]})
        assert {each["id"]: each["reason"] for each in trial["skipped"]} == {
            alone: "it has no other response than its answer",
            running: "it has not ended yet",
        }
        reward.failure = InvalidRequest("a response has at most 9 characters")
        trial = await tried(http, {"content": BRIEF, "evolutions": [whole]})
        assert [each["reason"] for each in trial["skipped"]] == ["a response has at most 9 characters"]
        reward.failure = DeadlineExceeded("too slow")
        late = await http.post("/v1/profiles/brief/try", json={"content": BRIEF, "evolutions": [whole]})
        assert late.status_code == 504


async def test_only_what_the_caller_may_read_is_tried_and_only_by_who_manages_profiles(app: App) -> None:
    store = app.backends.store
    theirs = await ended(store, "theirs", "other", *TEXTS)
    mine = await ended(store, "mine", "acme", *TEXTS)
    async with (
        app.caller("acme") as plain,
        app.caller("acme", own_profiles=True) as owner,
        app.caller("ops", manages_profiles=True, all_tenants=True) as operator,
    ):
        assert (await plain.post("/v1/profiles/brief/try", json={"content": BRIEF})).status_code == 403
        trial = await tried(owner, {"content": BRIEF})
        assert [each["id"] for each in trial["evolutions"]] == [mine]
        assert app.reward.checked[-1] == ("brief", BRIEF, True)
        told = set()
        for name in (theirs, "evo_nobodys"):
            unknown = await owner.post("/v1/profiles/brief/try", json={"content": BRIEF, "evolutions": [mine, name]})
            told.add((unknown.status_code, unknown.json()["error"]["message"].replace(name, "…")))
        assert told == {(404, "no evolution …")}
        foreign = await owner.post("/v1/profiles/brief/try?tenant=other", json={"content": BRIEF})
        assert foreign.status_code == 404
        assert {each["id"] for each in (await tried(operator, {"content": BRIEF}))["evolutions"]} == {mine, theirs}
        of_acme = await tried(operator, {"content": BRIEF}, tenant="acme")
        assert [each["id"] for each in of_acme["evolutions"]] == [mine]


async def test_a_trial_that_cannot_be_is_refused(app: App) -> None:
    refusals = [
        ({"content": "broken"}, 400, "content"),
        ({"content": "huge"}, 429, None),
        ({"content": SURE}, 400, "content"),
        ({"version": 7}, 404, "profile"),
        ({"content": BRIEF, "version": 1}, 400, "content"),
        ({"last": 2, "evolutions": ["evo_1"]}, 400, "last"),
        ({"last": 51}, 400, "last"),
        ({"evolutions": []}, 400, "evolutions"),
        ({"evolutions": ["evo_1"] * 51}, 400, "evolutions"),
    ]
    async with app.caller("ops", manages_profiles=True) as http:
        for body, status, param in refusals:
            refused = await http.post("/v1/profiles/brief/try", json=body)
            assert (refused.status_code, refused.json()["error"]["param"]) == (status, param), refused.text


async def test_who_tries_already_waits_for_the_end(app: App) -> None:
    reward = app.reward
    assert isinstance(reward, Judging)
    evolution = await ended(app.backends.store, "one", "ops", *TEXTS)
    reward.held = asyncio.Event()
    body = {"content": BRIEF, "evolutions": [evolution]}
    async with app.caller("ops", manages_profiles=True) as http:
        first = asyncio.ensure_future(http.post("/v1/profiles/brief/try", json=body))
        await reward.asked.wait()
        second = await http.post("/v1/profiles/brief/try", json=body)
        assert second.status_code == 429
        assert "another trial is under way" in second.json()["error"]["message"]
        reward.held.set()
        assert (await first).status_code == 200
        assert (await http.post("/v1/profiles/brief/try", json=body)).status_code == 200


async def test_the_last_ones_are_as_many_as_were_asked_for(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "_READ_AT_ONCE", 2)
    names = [await ended(app.backends.store, f"e{i}", "ops", *TEXTS[: 1 if i == 3 else 3]) for i in range(6)]
    async with app.caller("ops", manages_profiles=True) as http:
        trial = await tried(http, {"content": BRIEF, "last": 4})
        assert [each["id"] for each in trial["evolutions"]] == [names[i] for i in (5, 4, 2, 1)]
        everything = await tried(http, {"content": BRIEF, "last": 50})
        assert len(everything["evolutions"]) == 5


async def test_responses_are_compared_where_the_draft_compares_them(app: App) -> None:
    await ended(app.backends.store, "one", "ops", *TEXTS)
    async with app.caller("ops", manages_profiles=True) as http:
        for content in (BRIEF, "# compares"):
            await tried(http, {"content": content, "last": 1})
    assert isinstance(app.reward, Judging)
    assert app.reward.relative == [False, True]


async def test_what_reward_models_compute_for_a_trial_is_charged_to_the_key_that_asked(url: str) -> None:
    # A unit of money for each token.
    app = App(url, Judging(), "required", price_reward=1e6)
    for name in ("one", "two", "three"):
        await ended(app.backends.store, name, "acme", *TEXTS)
    async with (
        app.caller("acme", own_profiles=True) as other,
        app.caller("acme", own_profiles=True, money_per_month=50, tokens_per_month=1) as http,
    ):
        keys = {bool(key.budgets): key for key in await app.backends.keys.all()}
        trial = await tried(http, {"content": BRIEF})
        assert (trial["summary"]["reward_tokens"], trial["summary"]["cost"]) == (60, 60.0)
        [skipped] = trial["skipped"]
        assert "this key has spent 60 of 50 money in the month" in skipped["reason"]
        spent = await app.backends.store.spent(keys[True].id, time.time())
        assert (spent["money", "month"].used, spent["money", "month"].reserved) == (60 * NANOS, 0)
        assert spent["tokens", "month"].used == 0
        refused = await http.post("/v1/profiles/brief/try", json={"content": BRIEF})
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "insufficient_quota")
        assert (await tried(other, {"content": BRIEF}))["summary"]["cost"] == 90.0
        reward = app.reward
        assert isinstance(reward, Judging)
        reward.failure = InvalidRequest("too long")
        assert (await tried(other, {"content": BRIEF}))["summary"]["cost"] == 0.0
        spent = await app.backends.store.spent(keys[False].id, time.time())
        assert (spent["money", "month"].used, spent["money", "month"].reserved) == (90 * NANOS, 0)
    await app.backends.close()


async def test_a_budget_of_money_needs_prices(app: App) -> None:
    async with app.caller("acme", own_profiles=True, money_per_month=50) as http:
        refused = await http.post("/v1/profiles/brief/try", json={"content": BRIEF})
        assert refused.status_code == 400
        assert "DARWIN_GATEWAY_PRICE_" in refused.json()["error"]["message"]
