"""`/v1/profiles` over a real Redis and a scripted reward service, and what requests then begin with."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import redis.asyncio

from services.gateway.app import create_app
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.backends import Backends
from services.gateway.profiles.managed import ManagedProfiles
from services.gateway.profiles.models import Judgement, LoadedProfile, ProfileFiles
from shared.errors import InvalidRequest, Overloaded, Unavailable
from shared.records.evolution import EvolutionRequest
from shared.records.profiles import Traits
from shared.store.api_keys import new_key
from shared.store.presence import Presence, Stages
from shared.store.rollouts import Rollouts
from shared.telemetry.tracing import TelemetrySettings, Tracing

BRIEF = "components: [{name: guard, type: guard, weight: 1}]"
LONG = "components: [{name: guard, type: guard, weight: 2}]"
WISHED = 'wishes: ["at most two sentences"]\n' + LONG
WISHES = ("at most two sentences",)
SURE = "components: [{name: sure, type: self_certainty, weight: 1}]"


class Reward:
    """Knows one file, and refuses contents that say so."""

    def __init__(self) -> None:
        self.checked: list[tuple[str, str, bool]] = []
        self.loaded: list[tuple[str, str]] = []
        self.traits: dict[str, Traits] = {}
        self.away = False

    async def files(self) -> ProfileFiles:
        if self.away:
            raise Unavailable("no answer from reward")
        return ProfileFiles({"default": "the shipped one"}, "default", self.traits)

    async def check(self, reference: str, content: str, *, tenants: bool) -> Traits:
        if "broken" in content:
            raise InvalidRequest("brief: components.0.weight must be a number", field="content")
        if "huge" in content:
            raise Overloaded("reward models take 9 MiB of 8 MiB")
        self.checked.append((reference, content, tenants))
        return Traits("compares" in content, WISHES if content == WISHED else (), "self_certainty" in content)

    async def load(self, reference: str, content: str) -> None:
        self.loaded.append((reference, content))

    async def score(
        self, profile: LoadedProfile, request: EvolutionRequest, texts: Sequence[str], timeout_s: float
    ) -> Judgement:
        raise NotImplementedError

    async def close(self) -> None:
        pass


class Present(Presence):
    async def stages(self) -> Stages:
        return Stages()


class App:
    def __init__(self, url: str, reward: Reward, keys: str = "off", **others: Any) -> None:
        settings = GatewaySettings(redis_url=url, keys=keys, **others)
        self.profiles = ManagedProfiles(Rollouts(url), reward)
        self.backends = replace(Backends.of(settings), profiles=self.profiles, presence=Present(url))
        provider = Tracing("gateway", (), TelemetrySettings()).provider
        self.app = create_app(settings, self.backends, tracer_provider=provider)
        self.url, self.reward = url, reward

    @asynccontextmanager
    async def caller(self, tenant: str = "", **terms: Any) -> AsyncIterator[httpx.AsyncClient]:
        headers = {}
        if tenant:
            text, key = new_key(tenant, **terms)
            await self.backends.keys.add(key)
            headers = {"authorization": f"Bearer {text}"}
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers) as http:
            yield http

    async def begun(self, http: httpx.AsyncClient, **darwin: Any) -> EvolutionRequest:
        """What an evolution that is started now begins with."""
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": darwin}
        started = await http.post("/v1/evolutions", json=body)
        assert started.status_code == 202, started.text
        record = await self.backends.store.load(started.json()["id"])
        return record.request

    async def told(self, http: httpx.AsyncClient, **darwin: Any) -> tuple[str, str | None]:
        """The profile of an evolution that is started now and its owner, as settings and first event tell them."""
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": darwin}
        started = (await http.post("/v1/evolutions", json=body)).json()
        recording = (await http.get(f"/v1/evolutions/{started['id']}/recording")).json()
        settings, first = recording["settings"], recording["events"][0]
        assert (first["profile"], first["profile_owner"]) == (settings["profile"], settings["profile_owner"])
        return settings["profile"], settings["profile_owner"]


@pytest.fixture
async def url(redis_url: str) -> AsyncIterator[str]:
    """A database of our own, where nobody takes what is accepted."""
    own = redis_url.rpartition("/")[0] + "/8"
    async with redis.asyncio.Redis.from_url(own) as client:
        await client.flushdb()
        yield own
        await client.flushdb()


@pytest.fixture
async def open_app(url: str) -> AsyncIterator[App]:
    app = App(url, Reward())
    yield app
    await app.backends.close()


@pytest.fixture
async def guarded_app(url: str) -> AsyncIterator[App]:
    app = App(url, Reward(), "required")
    yield app
    await app.backends.close()


async def test_a_profile_is_pushed_promoted_and_rolled_back_and_requests_begin_with_what_is_promoted(
    open_app: App,
) -> None:
    app, reward = open_app, open_app.reward
    async with app.caller() as http:
        first = await http.put("/v1/profiles/brief", json={"content": BRIEF, "reason": "short is kind"})
        assert first.status_code == 200, first.text
        assert (first.json()["promoted"], first.json()["latest"], first.json()["content"]) == (1, 1, BRIEF)
        assert reward.checked == [("brief", BRIEF, False)]
        assert reward.loaded == [("brief", BRIEF)]
        second = (await http.put("/v1/profiles/brief", json={"content": LONG})).json()
        assert (second["promoted"], second["latest"], len(reward.loaded)) == (1, 2, 1)
        begun = await app.begun(http, profile="brief")
        assert (begun.profile, begun.profile_owner) == ("brief@1", "")
        promoted = await http.post("/v1/profiles/brief/promote", json={"version": 2})
        assert (promoted.json()["promoted"], reward.loaded[-1]) == (2, ("brief@2", LONG))
        assert (await app.begun(http, profile="brief")).profile == "brief@2"
        assert (await app.begun(http, profile="brief@1")).profile == "brief@1"
        assert (await app.begun(http)).profile == "default@1"
        back = await http.post("/v1/profiles/brief/rollback", json={"version": 2, "reason": "worse"})
        assert back.json()["promoted"] == 1
        again = await http.post("/v1/profiles/brief/rollback", json={"version": 2})
        assert again.status_code == 409
        shown = (await http.get("/v1/profiles/brief")).json()
        assert [(each["kind"], each["version"], each["reason"]) for each in shown["history"]] == [
            ("rolled_back", 1, "worse"),
            ("promoted", 2, ""),
            ("pushed", 2, ""),
            ("pushed", 1, "short is kind"),
        ]
        listed = (await http.get("/v1/profiles")).json()["data"]
        assert [(each["name"], each["promoted"], each["default"]) for each in listed] == [
            ("brief", 1, False),
            ("default", 1, True),
        ]
        versions = (await http.get("/v1/profiles/brief/versions", params={"limit": 1})).json()
        assert [(each["reference"], each["promoted"]) for each in versions["data"]] == [("brief@2", False)]
        assert versions["has_more"]
        rest = (await http.get("/v1/profiles/brief/versions", params={"before": 2})).json()
        assert ([each["content"] for each in rest["data"]], rest["has_more"]) == ([BRIEF], False)


async def test_a_profile_that_cannot_be_served_is_refused_and_not_kept(open_app: App) -> None:
    async with open_app.caller() as http:
        refused = await http.put("/v1/profiles/brief", json={"content": "broken"})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "content")
        assert "components.0.weight must be a number" in refused.json()["error"]["message"]
        assert (await http.put("/v1/profiles/brief", json={"content": "huge"})).status_code == 429
        assert (await http.get("/v1/profiles/brief")).status_code == 404
        assert open_app.reward.loaded == []


@pytest.mark.parametrize(
    ("method", "path", "body", "param"),
    [
        ("PUT", "-brief", {"content": BRIEF}, "path.name"),
        ("PUT", "brief@2", {"content": BRIEF}, "path.name"),
        ("PUT", "brief", {"content": ""}, "content"),
        ("PUT", "brief", {"content": "a" * 65_537}, "content"),
        ("PUT", "brief", {"content": BRIEF, "reason": "a" * 501}, "reason"),
        ("PUT", "brief", {"content": BRIEF, "promoted": True}, "promoted"),
        ("POST", "brief/promote", {"version": 0}, "version"),
        ("POST", "brief/promote", {"version": 1001}, "version"),
        ("POST", "brief/rollback", {"version": "1"}, "version"),
    ],
)
async def test_every_input_has_a_limit(open_app: App, method: str, path: str, body: dict[str, Any], param: str) -> None:
    async with open_app.caller() as http:
        refused = await http.request(method, f"/v1/profiles/{path}", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


async def test_unknown_and_foreign_profiles_are_the_same_404(guarded_app: App) -> None:
    async with (
        guarded_app.caller("acme", own_profiles=True) as acme,
        guarded_app.caller("other", own_profiles=True) as other,
    ):
        assert (await acme.put("/v1/profiles/secret", json={"content": BRIEF})).json()["tenant"] == "acme"
        assert guarded_app.reward.checked == [("secret", BRIEF, True)]
        begun = await guarded_app.begun(acme, profile="secret")
        assert (begun.profile, begun.profile_owner) == ("secret@1", "acme")
        told = set()
        for name in ("secret", "nobodys"):
            for path in (name, f"{name}?tenant=acme", f"{name}/versions", f"{name}/versions?tenant=acme"):
                unknown = await other.get(f"/v1/profiles/{path}")
                told.add((unknown.status_code, unknown.json()["error"]["message"].replace(name, "…")))
            pushed = await other.put(f"/v1/profiles/{name}?tenant=acme", json={"content": BRIEF})
            told.add((pushed.status_code, pushed.json()["error"]["message"].replace(name, "…")))
        assert told == {(404, "there is no reward profile '…'")}
        answers = set()
        for name in ("secret", "nobodys"):
            body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": {"profile": name}}
            answer = await other.post("/v1/chat/completions", json=body)
            error = answer.json()["error"]
            answers.add((answer.status_code, error["param"], error["message"].replace(name, "…")))
        assert answers == {(404, "darwin.profile", "there is no reward profile '…'")}
        assert (await other.get("/v1/profiles?tenant=acme")).json()["data"] == []


async def test_who_may_manage_which_profiles(guarded_app: App) -> None:
    async with (
        guarded_app.caller("acme") as plain,
        guarded_app.caller("acme", own_profiles=True) as owner,
        guarded_app.caller("ops", manages_profiles=True) as operator,
    ):
        refused = await plain.get("/v1/profiles")
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "permission_denied")
        assert (await plain.put("/v1/profiles/brief", json={"content": BRIEF})).status_code == 403
        await operator.put("/v1/profiles/brief", json={"content": BRIEF})
        assert (await guarded_app.begun(plain, profile="brief")).profile_owner == ""
        await owner.put("/v1/profiles/brief", json={"content": LONG})
        assert (await guarded_app.begun(plain, profile="brief")).profile_owner == "acme"
        told = [await guarded_app.told(http, profile="brief") for http in (plain, operator)]
        assert told == [("brief@1", "acme"), ("brief@1", "")]
        assert (await operator.get("/v1/profiles/brief")).json()["content"] == BRIEF
        assert (await operator.get("/v1/profiles/brief?tenant=acme")).json()["content"] == LONG
        assert (await owner.delete("/v1/profiles/brief", params={"reason": "over"})).status_code == 200
        assert (await owner.get("/v1/profiles/brief")).status_code == 404
        assert (await guarded_app.begun(plain, profile="brief")).profile_owner == ""
        assert (await operator.delete("/v1/profiles/default")).status_code == 409


async def test_a_key_has_a_default_and_may_be_held_to_some(guarded_app: App) -> None:
    async with (
        guarded_app.caller("ops", manages_profiles=True) as operator,
        guarded_app.caller("acme", default_profile="brief", profiles=("long",)) as held,
    ):
        for name, content in (("brief", BRIEF), ("long", LONG), ("other", LONG)):
            await operator.put(f"/v1/profiles/{name}", json={"content": content})
        assert (await guarded_app.begun(held)).profile == "brief@1"
        assert (await guarded_app.begun(held, profile="long@1")).profile == "long@1"
        body = {"model": "darwin", "messages": [{"role": "user", "content": "Why?"}], "darwin": {"profile": "other@1"}}
        assert (await held.post("/v1/evolutions", json=body)).status_code == 403


async def test_while_the_reward_service_has_not_told_its_files_names_are_taken_as_they_are(open_app: App) -> None:
    open_app.reward.away = True
    async with open_app.caller() as http:
        begun = await open_app.begun(http, profile="kind")
        assert (begun.profile, begun.profile_owner) == ("kind", None)


async def test_without_a_reward_service_nothing_is_managed(url: str) -> None:
    app = App(url, Reward())
    unmanaged = ManagedProfiles(Rollouts(url), None)
    app.backends = replace(app.backends, profiles=unmanaged)
    app.app = create_app(GatewaySettings(redis_url=url), app.backends)
    async with app.caller() as http:
        refused = await http.get("/v1/profiles")
        assert (refused.status_code, "DARWIN_GATEWAY_REWARD" in refused.json()["error"]["message"]) == (400, True)
        assert (await app.begun(http, profile="kind")).profile == "kind"
    await app.backends.close()
