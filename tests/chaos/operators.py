"""Two operators who change one reward profile, each at a gateway, while processes are killed: what they were told, and
what is kept.
"""

import asyncio
import itertools
import random
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import grpc
import httpx

from shared.errors import DarwinError
from shared.pb import reward_pb2 as pb
from shared.pb.reward_pb2_grpc import RewardServiceStub
from shared.records.profiles import MAX_HISTORY, ManagedProfile, ProfileChange, ProfileVersion
from shared.store.profiles import Profiles
from tests.chaos import evidence
from tests.chaos.clients import Caller
from tests.chaos.scene import Scene

STRUCK = ("reward-2", "gateway-2", "redis", "reward", "gateway")
"""The processes that are killed, one after another."""

_AWAY_S, _PAUSE_S, _PATIENCE_S = 0.5, 0.1, 60.0

Outcome = Literal["done", "refused", "unknown"]


@dataclass(frozen=True)
class Deed:
    """What an operator asked for once, by a `reason` that nobody else gives, and what came of it: `unknown` where no
    answer told. `promotes`: a push that is to be promoted at once. Times are Unix seconds.
    """

    reason: str
    kind: Literal["pushed", "promoted", "rolled_back"]
    outcome: Outcome
    began: float
    ended: float
    version: int = 0
    promotes: bool = False


class Operator(threading.Thread):
    """Pushes, promotes versions of its own, and rolls back what is promoted, until it is told to stop."""

    def __init__(self, number: int, url: str, profile: str) -> None:
        super().__init__(name=f"operator-{number}", daemon=True)
        self._draws = random.Random(number)
        self._names = (f"by-{number}-{count}" for count in itertools.count())
        self._path = f"{url}/v1/profiles/{profile}"
        self._mine: list[int] = []
        self.deeds: list[Deed] = []
        self.stop = threading.Event()

    def run(self) -> None:
        with httpx.Client(timeout=30, trust_env=False) as http:
            while not self.stop.wait(_PAUSE_S):
                draw = self._draws.random()
                if draw < 0.4 or not self._mine:
                    self.push(http)
                elif draw < 0.7:
                    self._do(http, "POST", "promoted", version=self._draws.choice(self._mine))
                else:
                    self._roll_back(http)

    def push(self, http: httpx.Client) -> None:
        promote = self._draws.random() < 0.5
        done = self._do(http, "PUT", "pushed", promote=promote)
        if done:
            self._mine += [each["version"] for each in done["history"] if each["reason"] == self.deeds[-1].reason]

    def _roll_back(self, http: httpx.Client) -> None:
        try:
            shown = http.get(self._path)
        except httpx.HTTPError:
            return
        if shown.is_success:
            self._do(http, "POST", "rolled_back", version=shown.json()["promoted"])

    def _do(self, http: httpx.Client, method: str, kind: Any, promote: bool = False, **body: Any) -> dict[str, Any]:
        """Asks once. What was done is answered with the profile as it was then."""
        path = {"pushed": "", "promoted": "/promote", "rolled_back": "/rollback"}[kind]
        reason, began, outcome, answer = next(self._names), time.time(), "unknown", {}
        if kind == "pushed":
            body = {"content": content_of(reason), "promote": promote}
        try:
            answered = http.request(method, self._path + path, json={**body, "reason": reason})
            if answered.is_success:
                outcome, answer = "done", answered.json()
            elif answered.status_code < 500:
                outcome = "refused"
        except httpx.HTTPError:
            pass
        self.deeds.append(Deed(reason, kind, outcome, began, time.time(), body.get("version", 0), promote))
        return answer


class Changing:
    """A fault: while two operators change a profile, reward replicas, gateways and Redis are killed and come back."""

    def __init__(self) -> None:
        self._profile = ""
        self._operators: list[Operator] = []
        self._callers: list[Caller] = []

    def inflict(self, scene: Scene) -> float:
        self._profile, self._callers = f"chaos-{uuid.uuid4().hex[:8]}", []
        self._operators = [Operator(number, url, self._profile) for number, url in enumerate(scene.stack.urls)]
        with httpx.Client(timeout=30, trust_env=False) as http:
            self._operators[0].push(http)
        for operator in self._operators:
            operator.start()
        for name in STRUCK:
            self._begin_search(scene)
            scene.stack.kill(name)
            back_at = scene.start_again(name, _AWAY_S)
        for operator in self._operators:
            operator.stop.set()
        for operator in self._operators:
            operator.join(_PATIENCE_S)
        return back_at

    def misses(self, scene: Scene) -> list[str]:
        """What is wrong once all has ended."""
        for caller in self._callers:
            caller.join(_PATIENCE_S)
        profile, versions, history = asyncio.run(_kept(scene.stack.redis_url, self._profile))
        deeds = [deed for operator in self._operators for deed in operator.deeds]
        contents = {version.version: version.content for version in versions}
        return [
            *judged(deeds, profile, versions, history),
            *(f"search: {caller.told.error}" for caller in self._callers if caller.told.error),
            *self._wrong_searches(scene, contents),
            *_unserved(scene, f"{self._profile}@{profile.promoted}", contents[profile.promoted]),
        ]

    def _begin_search(self, scene: Scene) -> None:
        body = {**scene.load.body, "model": "darwin", "max_tokens": 60}
        body["darwin"] = {**body["darwin"], "profile": self._profile}
        number = len(self._callers)
        url = scene.stack.urls[number % len(scene.stack.urls)]
        self._callers.append(Caller(url, f"{self._profile}-{number}", body, chat=False))
        self._callers[-1].start()

    def _wrong_searches(self, scene: Scene, contents: dict[int, str]) -> list[str]:
        """Those that were not scored by the version that they began with."""
        found = []
        kept = evidence.kept(scene.shards, self._profile)
        for search in kept:
            name, _, version = str(search.record["request"]["profile"]).partition("@")
            result = search.record["result"] or {"base": {"components": {}}, "choices": []}
            scored = {part for each in (result["base"], *result["choices"]) for part in each["components"]}
            if name != self._profile or [content_of(part) for part in scored] != [contents[int(version)]]:
                found.append(f"{search.id} began with {name}@{version} and was scored by {scored}")
        if len(kept) != len(self._callers):
            found.append(f"{len(kept)} searches for {len(self._callers)} callers")
        return found


def content_of(part: str) -> str:
    """A profile whose only component has this name, so that a score tells its version."""
    return f"components: [{{name: {part}, type: simulated, weight: 1.0}}]\n"


def judged(
    deeds: Sequence[Deed],
    profile: ManagedProfile,
    versions: Sequence[ProfileVersion],
    history: Sequence[ProfileChange],
) -> list[str]:
    """What is wrong with what is kept, the newest first, after these deeds."""
    by_reason = {deed.reason: deed for deed in deeds}
    told = [by_reason.get(change.reason) for change in reversed(history)]
    places = {deed.reason: place for place, deed in enumerate(told) if deed}
    done = [deed for deed in deeds if deed.outcome == "done"]
    known = [deed for deed in done if deed.reason in places]
    pushed = [deed for deed in told if deed and deed.kind == "pushed"]
    bars = {
        "an operator did nothing": len(done) < 2,
        "versions have gaps or doubles": [one.version for one in versions] != list(range(profile.latest, 0, -1)),
        "a content is kept as another version": [one.content for one in reversed(versions)]
        != [content_of(deed.reason) for deed in pushed],
        "a change is told that nobody asked for": None in told,
        "a change is told twice": len(places) < len(told),
        "a refused change was made": any(deed and deed.outcome == "refused" for deed in told),
        "a change that was acknowledged is not told": any(
            deed.reason not in places for deed in done if deed.kind != "promoted"
        ),
        "changes are not told in their order": any(
            places[one.reason] > places[other.reason] for one in known for other in known if one.ended < other.began
        ),
    }
    wrong = [bar for bar, missed in bars.items() if missed]
    if wrong:
        return wrong
    meant = _meant(profile.name, [deed for deed in told if deed], list(reversed(history)))
    if meant[-1:] != [profile]:
        wrong.append(f"the history leads to {meant[-1:]}, not to {profile}")
    # A promotion of what is promoted already changes nothing.
    promoted = {each.promoted for each in meant}
    if any(deed.version not in promoted for deed in done if deed.kind == "promoted"):
        wrong.append("a promotion that was acknowledged was not made")
    return wrong


def _meant(name: str, deeds: Sequence[Deed], history: Sequence[ProfileChange]) -> list[ManagedProfile]:
    """The profile after each change, as the history tells them, the oldest first; up to one that is not possible."""
    meant: list[ManagedProfile] = []
    for deed, change in zip(deeds, history, strict=True):
        before = meant[-1] if meant else None
        try:
            if before is None:
                after = ManagedProfile(name, 1, 1)
            elif deed.kind == "pushed":
                after = before.with_next(promote=deed.promotes)
            elif deed.kind == "promoted":
                after = before.with_promoted(deed.version)
            else:
                after = before.rolled_back(deed.version)
        except DarwinError:
            return []
        if change.kind != deed.kind or change.version != (after.latest if deed.kind == "pushed" else after.promoted):
            return []
        meant.append(after)
    return meant


async def _kept(url: str, name: str) -> tuple[ManagedProfile, list[ProfileVersion], list[ProfileChange]]:
    store = Profiles(url)
    try:
        profile = await store.get("", name)
        versions = await store.versions("", name, profile.latest, profile.latest)
        return profile, versions, await store.history("", name, MAX_HISTORY)
    finally:
        await store.close()


def _unserved(scene: Scene, reference: str, content: str) -> list[str]:
    """The replicas of the reward service that do not score by this version."""
    request = pb.ScoreRequest(
        messages=[pb.ScoreRequest.Message(role="user", content="Why?")],
        candidates=[pb.ScoreRequest.Candidate(id="a", text="So.")],
        profile=reference,
        content=content,
    )
    found = []
    for name, address in scene.stack.addresses.items():
        if name.startswith("reward"):
            with grpc.insecure_channel(address) as channel:
                scored = RewardServiceStub(channel).Score(request, timeout=_PATIENCE_S, wait_for_ready=True)
            if [content_of(part.name) for part in scored.scores[0].components] != [content]:
                found.append(f"{name} does not score by {reference}")
    return found
