"""Who gets credit, from what, and that nothing of it takes a search down."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from services.orchestrator.credit.keeper import CreditKeeper
from services.orchestrator.settings import OrchestratorSettings
from shared.errors import ContextLengthExceeded, Unavailable
from shared.records.attempts import Attempt
from shared.records.credit import Credit, Observation
from shared.records.events import Event
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling
from shared.records.search import Search
from tests.unit.orchestrator.credit.test_gains import EVENTS

DIRECTIONS = {"How?": (1.0, 0.0), "How so?": (0.9, 0.1), "Why?": (0.0, 1.0)}


class Kept:
    """A log of observations in memory."""

    def __init__(self) -> None:
        self.kept: dict[str | None, dict[str, Observation]] = {}
        self.loaded = 0
        self.away = False

    async def add(self, tenant: str | None, observation: Observation, most: int, ttl_s: int) -> None:
        self._check()
        self.kept.setdefault(tenant, {}).setdefault(observation.id, observation)

    async def ids(self, tenant: str | None) -> list[str]:
        self._check()
        return list(self.kept.get(tenant, {}))

    async def load(self, tenant: str | None, ids: Sequence[str]) -> list[Observation]:
        self.loaded += len(ids)
        return [self.kept[tenant][each] for each in ids]

    def _check(self) -> None:
        if self.away:
            raise Unavailable("away")


class Store:
    async def events(self, evolution_id: str) -> list[Any]:
        return [SimpleNamespace(event=event) for event in EVENTS]


class Encoder:
    async def vector(self, text: str, timeout_s: float) -> bytes:
        if text not in DIRECTIONS:
            raise ContextLengthExceeded("too long")
        return np.array(DIRECTIONS[text], "<f4").tobytes()


def keeper(kept: Kept, **settings: Any) -> CreditKeeper:
    return CreditKeeper(kept, Store(), Encoder(), OrchestratorSettings(**settings))  # type: ignore[arg-type]


def request(tenant: str = "acme", profile: str = "", text: str = "How?", credit: bool = True) -> EvolutionRequest:
    return EvolutionRequest(
        messages=(Message("user", text),),
        method="darwin",
        sampling=Sampling(max_tokens=8),
        search=Search(credit=credit),
        seed=1,
        tenant=tenant,
        profile=profile,
    )


async def saved(under: CreditKeeper, number: int, asked: EvolutionRequest, events: Sequence[Event] = EVENTS) -> None:
    record = Record(id=f"evo_{number}", version=1, status="running", created_at=0.0, request=asked)
    attempt = Attempt("0" * 32, 1, 1, 1, started_at=0.0, ended_at=float(number))
    await under.on_saved(record, attempt, events)


async def names(under: CreditKeeper, asked: EvolutionRequest) -> set[str]:
    credit = await under.credit_for(asked)
    return set(credit.earned) if credit else set()


async def test_what_is_saved_is_kept_once_and_drawn_from_by_the_same_tenant_and_profile() -> None:
    kept = Kept()
    under = keeper(kept)
    assert await under.credit_for(request()) is None
    await saved(under, 1, request())
    await saved(under, 1, request())
    assert list(kept.kept["acme"]) == ["evo_1:1", "evo_1:2"]
    credit = await under.credit_for(request())
    assert isinstance(credit, Credit)
    assert credit.earned["ask_long"].mean > credit.earned["clarify"].mean
    assert await under.credit_for(request(tenant="other")) is None
    assert await under.credit_for(request(profile="strict")) is None
    assert await under.credit_for(request(credit=False)) is None


async def test_a_tenants_own_profile_earns_no_credit_for_another_of_its_name() -> None:
    under = keeper(Kept(), credit_shared=True)
    own = replace(request(profile="brief@1"), profile_owner="acme")
    await saved(under, 1, own)
    assert await names(under, own)
    for owner in ("", "other"):
        assert await under.credit_for(replace(own, profile_owner=owner)) is None


async def test_only_cycles_that_this_save_has_finished_are_kept_and_only_where_that_is_wanted() -> None:
    kept = Kept()
    await saved(keeper(kept), 1, request(credit=False))
    await saved(keeper(kept), 1, request(), EVENTS[:6])
    assert kept.kept == {}
    await saved(keeper(kept), 1, request(), EVENTS[9:])
    assert list(kept.kept["acme"]) == ["evo_1:2"]


async def test_tenants_share_credit_only_where_the_deployment_says_so() -> None:
    kept = Kept()
    under = keeper(kept, credit_shared=True)
    await saved(under, 1, request(tenant="acme"))
    assert list(kept.kept) == [None]
    assert await names(under, request(tenant="other"))


async def test_credit_is_of_the_nearest_instructions_and_of_all_where_nothing_is_embedded() -> None:
    kept = Kept()
    under = keeper(kept, credit_near=3)
    for number in range(3):
        await saved(under, number, request(text="How?"))
        await saved(under, 10 + number, request(text="Why?"))
    other = {each.id: replace(each, gains=each.gains[:1] * 2) for each in kept.kept["acme"].values()}
    kept.kept["acme"] = {
        key: each if each.vector == kept.kept["acme"]["evo_0:1"].vector else other[key]
        for key, each in kept.kept["acme"].items()
    }
    assert "clarify" in await names(under, request(text="How so?"))
    assert "clarify" not in await names(under, request(text="Why?"))
    assert "clarify" in await names(under, request(text="Unknown"))


async def test_what_is_reset_is_not_drawn_from_any_more_and_nothing_is_read_twice() -> None:
    kept = Kept()
    under = keeper(kept)
    await saved(under, 1, request())
    assert await names(under, request())
    assert await names(under, request())
    assert kept.loaded == 2
    kept.kept.clear()
    assert await under.credit_for(request()) is None


async def test_a_search_goes_on_where_the_store_is_away() -> None:
    kept = Kept()
    under = keeper(kept)
    await saved(under, 1, request())
    kept.away = True
    await saved(under, 2, request())
    assert await under.credit_for(request()) is None
    kept.away = False
    assert list(kept.kept["acme"]) == ["evo_1:1", "evo_1:2"]
