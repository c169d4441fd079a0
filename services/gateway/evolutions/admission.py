"""Whether a search may start: the stages it needs are there, and the caller's limits leave room for it."""

import asyncio
import time

from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from services.gateway.edge.errors import ModelNotAllowed, PermissionDenied
from services.gateway.edge.rates import Quota, Rate, Rates
from services.gateway.evolutions.abilities import check_abilities
from services.gateway.evolutions.estimate import estimate
from shared.errors import Unavailable, Unsupported
from shared.methods import Ability, Method
from shared.records.evolution import EvolutionRequest
from shared.records.profiles import Resolved, name_of
from shared.records.spending import Prices
from shared.store.evolutions import Store
from shared.store.fair_queue import Share
from shared.store.limits import ActiveLimits
from shared.store.presence import ORCHESTRATOR, STAGES, Presence, Stages

# Workers report which stages answer about once a second.
_PRESENCE_TTL_S = 1.0


class StageCheck:
    """Whether every stage that a search needs is there, as the workers report it to Redis.

    The report is read at most once a second, however many calls need it.
    """

    def __init__(self, presence: Presence) -> None:
        self._presence = presence
        self._read: asyncio.Future[Stages] | None = None
        self._read_at = 0.0

    async def check(self) -> None:
        """Raises `Unavailable` where a stage, or Redis, is away.

        While no worker reports, nothing is known of the stages: a search may be accepted, and waits for a worker.
        """
        if away := [name for name in (await self._stages()).away if name != ORCHESTRATOR]:
            raise Unavailable(f"no answer from {', '.join(away)}: searches cannot be started now")

    async def check_ready(self) -> None:
        """As `check`, but no report from any worker raises `Unavailable` too."""
        await self.check()
        if (await self._stages()).away:
            raise Unavailable(
                f"no {ORCHESTRATOR} reports that it runs and whether {', '.join(STAGES)} answer: searches would wait"
            )

    async def lacks(self) -> frozenset[Ability]:
        """What generation is known to lack; raises `Unavailable` where Redis is away."""
        return (await self._stages()).lacks

    async def _stages(self) -> Stages:
        read = self._read
        if read is None or (read.done() and (read.exception() or time.monotonic() > self._read_at + _PRESENCE_TTL_S)):
            read = self._read = asyncio.ensure_future(self._presence.stages())
            self._read_at = time.monotonic()
        return await asyncio.shield(read)


class Admission:
    """What a caller's API key allows, and its limits and this deployment's.

    Methods raise `Unavailable` where Redis is away.
    """

    def __init__(self, store: Store, rates: Rates, stages: StageCheck, settings: GatewaySettings) -> None:
        self._store = store
        self._rates = rates
        self._stages = stages
        self._settings = settings

    @property
    def prices(self) -> Prices | None:
        """At which a search that is accepted now is charged; None where nothing has a price."""
        return self._settings.prices or None

    def token_price(self, named: str, found: Resolved) -> float | None:
        """What tokens cost a search under the profile that is `found` for a name, empty where there was none, in its
        reward; None where they cost nothing. A tenant's own profile has no price of the deployment's, whose scale is
        another one, and where responses are compared, no gain has a unit.
        """
        return None if found.owner or found.relative else self._settings.token_price(named, found.reference)

    def check_allowed(self, caller: Caller, request: EvolutionRequest) -> None:
        """Checks that the caller's key allows the model, the method and the reward profile of a request.

        Raises:
            ModelNotAllowed: the model or its method is not among those of the key.
            PermissionDenied: the profile is not.
            Unsupported: the key has a budget of money, and nothing has a price here.
        """
        key = caller.key
        if key is None:
            return
        self.check_model(caller, self._settings.known_name(request.model) or request.method, request.method)
        if key.profiles is not None and request.profile and name_of(request.profile) not in key.profiles:
            raise PermissionDenied(
                f"this key may not use the reward profile '{request.profile}': choose among {', '.join(key.profiles)}, "
                "or leave it out",
                field="darwin.profile",
            )
        self.check_money(caller)

    def check_model(self, caller: Caller, model: str, method: Method | None = None) -> None:
        """Checks that the caller's key allows a model by its known name, and the method that it stands for; one that
        embeds stands for none.

        Raises:
            ModelNotAllowed: it does not.
        """
        key = caller.key
        if key is None or key.may_use(model, method):
            return
        allowed = " and ".join(
            f"{kind} {', '.join(names)}"
            for kind, names in (("the models", key.models), ("the methods", key.methods))
            if names is not None
        )
        raise ModelNotAllowed(f"this key does not have access to model '{model}': it may use {allowed}", field="model")

    def check_money(self, caller: Caller) -> None:
        """Raises `Unsupported` where the caller's key has a budget of money, and nothing has a price here."""
        key = caller.key
        if key and self.prices is None and any(budget.unit == "money" for budget in key.budgets):
            raise Unsupported(
                "this key has a budget of money, and this deployment has no prices to count it by: its operator sets "
                "DARWIN_GATEWAY_PRICE_…, or takes the budget away"
            )

    async def count(self, caller: Caller) -> Rate | None:
        """Counts a call against the key's rate; None where the key has none, or the caller no key."""
        return await self._rates.take(caller.key) if caller.key else None

    async def quota(self, caller: Caller, at: float) -> Quota | None:
        """The budget of tokens of which the key has least left; None where its tokens are not limited."""
        key = caller.key
        budgets = [budget for budget in key.budgets if budget.unit == "tokens"] if key else []
        if key is None or not budgets:
            return None
        spent = await self._store.spent(key.id, at)
        quotas = [Quota(budget, spent[budget.unit, budget.period], at) for budget in budgets]
        return min(quotas, key=lambda quota: quota.remaining)

    async def has_room(self, caller: Caller, at: float) -> bool:
        """Whether the numbers of searches under way, and the key's budgets, leave room for one more."""
        if await self._store.active() >= self._settings.max_active:
            return False
        if (key := caller.key) is None:
            return True
        if await self._store.active_of(key.id) >= (key.max_active or self._settings.max_active_per_key):
            return False
        spent = await self._store.spent(key.id, at) if key.budgets else {}
        return all(Quota(budget, spent[budget.unit, budget.period], at).remaining for budget in key.budgets)

    async def check_stages(self, request: EvolutionRequest | None = None) -> None:
        """Checks that every stage is there, and can do what the request needs, where there is one.

        Raises:
            Unavailable: a stage is away.
            Unsupported: the language model cannot do what the request needs.
        """
        await self._stages.check()
        if request is not None:
            check_abilities(request, await self._stages.lacks())

    def limits(self, caller: Caller, request: EvolutionRequest) -> ActiveLimits:
        """How many searches may be queued or running, the new one included, and what it may spend."""
        key, most = caller.key, self._settings.max_active_per_key
        if key is None:
            return ActiveLimits(self._settings.max_active, most, estimate=estimate(request))
        share = Share(key.weight or 1, key.priority_over_tenants)
        return ActiveLimits(self._settings.max_active, key.max_active or most, key.budgets, estimate(request), share)
