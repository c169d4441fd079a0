"""What evolutions spend of API keys whose budgets lie on another shard: their keys' home shards.

Whoever accepts such an evolution reserves at the home shard first, under the evolution's id. The script that saves a
version writes to the outbox of the evolution's shard what it has spent in all so far, and whoever saved settles that at
the home shard: soon after its end, many together, and before that now and then, for until then all that it may spend is
reserved. Who would be refused meanwhile settles first what has ended.
Settling is by totals, so that one that comes twice, late or out of turn changes nothing.

The sweep settles what a worker that died has left in an outbox, and gives back what is reserved for an evolution that
is not there: its acceptance failed half-way, or its record is gone.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from shared.errors import Overloaded, Unavailable
from shared.records.evolution import Record
from shared.store.account_scripts import CLEAR, LEFT, RESERVE, SETTLE, UNCHECKED
from shared.store.charges import ChargeCommands, limits_by_period, over_budget
from shared.store.limits import ActiveLimits
from shared.store.shards import Shard, Shards

# How often what an evolution has spent is settled while it runs.
_SETTLED_EVERY_S = 5.0
# For so long the sweep leaves what was spent to who saved it last, where it has ended and where it has not, and what
# was reserved to who accepts.
_ENDED_S, _SETTLED_S = 2.0, 15.0
_ACCEPTED_S = 60.0
_AT_ONCE = 500
# A worker ends some twenty searches a second; ten that are settled together take as many commands as one.
_GATHERED_S = 0.5
# Of a server's time a key's refusals may take so much to look for what has ended of it.
_LOOK_S = 1e-4
_MOST_NOTED = 10_000


class _Owed(NamedTuple):
    """What an outbox says of an evolution, beside the number of its key's home shard."""

    home: int
    ended: int
    tokens: int
    money: int

    @classmethod
    def read(cls, text: str) -> "_Owed":
        home, ended, tokens, money, _ = text.split()
        return cls(int(home), int(ended), int(tokens), int(money))


class AccountCommands(ChargeCommands):
    """The store's methods for budgets on other shards."""

    def __init__(self, redis: str | Shards, max_connections: int = 100, shards: int | None = None) -> None:
        super().__init__(redis, max_connections, shards)
        self._unsettled: set[str] = set()
        self._settling: asyncio.Task[None] | None = None
        self._settled_at: dict[str, float] = {}
        self._hurried = asyncio.Event()
        self._look_from: dict[str, float] = {}

    def _home(self, record: Record) -> Shard | None:
        """The home shard of the evolution's key, where the evolution lies on another."""
        home = self._shards.home(record.key_id) if record.key_id else None
        return None if home is self._shards.of(record.id) else home

    async def _reserve(self, home: Shard, record: Record, limits: ActiveLimits) -> None:
        """Reserves what an evolution may spend, and counts it as one of its key's. Before it is refused, what has ended
        of the key's is settled.

        Raises:
            OverBudget: a budget leaves nothing to spend.
            Overloaded: the key has as many as it may.
        """
        reserve = partial(
            RESERVE,
            home.redis,
            accounts=home.keys("accounts"),
            unchecked=home.keys("accounts-unchecked"),
            reserved=home.keys.reserved,
            api_key_active=home.keys.active_of(record.key_id),
            spent=home.keys.spent_by(record),
            id=record.id,
            max_active=limits.active_per_key,
            tokens=limits.estimate.counted,
            money=record.prices.nanos(limits.estimate) if record.prices else 0,
            token_limits=limits_by_period("tokens", limits.budgets),
            money_limits=limits_by_period("money", limits.budgets),
        )
        outcome, *exceeded = await reserve()
        if outcome != "reserved" and await self._settle_ended_of(home, record.key_id):
            outcome, *exceeded = await reserve()
        if outcome == "over budget":
            raise over_budget(limits.budgets, exceeded)
        if outcome == "key full":
            raise Overloaded(f"this key has {limits.active_per_key} evolutions queued or running: come back later")

    async def _give_back(self, home: Shard, evolution_id: str) -> None:
        """Gives back what was reserved for an evolution that is not accepted; what fails is left to the sweep."""
        with suppress(Unavailable):
            async with self._translated:
                await self._settle(home, {evolution_id: _Owed(home.number, 1, 0, 0)})

    def _settle_soon(self, evolution_id: str, *, ended: bool) -> None:
        """Settles what an evolution's outbox says where it is time; what fails is left to the sweep."""
        now = time.monotonic()
        if not ended and now < self._settled_at.setdefault(evolution_id, now) + _SETTLED_EVERY_S:
            return
        self._settled_at[evolution_id] = now
        if ended:
            del self._settled_at[evolution_id]
        elif len(self._settled_at) > _MOST_NOTED:  # of evolutions that other workers went on with
            self._settled_at.clear()
        self._unsettled.add(evolution_id)
        if self._settling is None or self._settling.done():
            self._settling = asyncio.ensure_future(self._settle_unsettled())

    async def settled(self) -> None:
        """Settles at once what this process has saved, or leaves it to the sweep."""
        if self._settling is not None:
            self._hurried.set()
            await asyncio.wait({self._settling})
            self._hurried.clear()

    async def settle_left(self) -> None:
        """Settles what others have left in outboxes, and gives back what is reserved for what is not there."""
        if len(self._shards) > 1:
            await self._shards.present(self._settle_left_of)
            await self._shards.present(self._give_back_lost)

    async def _settle_left_of(self, shard: Shard) -> None:
        flat = await LEFT(shard.redis, outbox=shard.keys.outbox, ended_s=_ENDED_S, wait_s=_SETTLED_S, most=_AT_ONCE)
        await self._settle_texts(shard, dict(zip(flat[::2], flat[1::2], strict=True)))

    async def _give_back_lost(self, home: Shard) -> None:
        unchecked = home.keys("accounts-unchecked")
        due = await UNCHECKED(home.redis, unchecked=unchecked, wait_s=_ACCEPTED_S, most=_AT_ONCE)
        for evolution_id in due:
            shard = self._shards.of(evolution_id)
            with suppress(Unavailable):
                async with self._translated, shard.redis.pipeline(transaction=True) as pipeline:
                    pipeline.zscore(shard.keys.active, evolution_id)
                    pipeline.hexists(shard.keys.outbox, evolution_id)
                    active, owed = await pipeline.execute()
                if active is None and not owed:
                    await self._give_back(home, evolution_id)

    async def _settle_unsettled(self) -> None:
        """Many together, for each step costs a server as much as a round's save."""
        while self._unsettled:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hurried.wait(), _GATHERED_S)
            ids, self._unsettled = list(self._unsettled), set()
            with suppress(Unavailable):
                await self._shards.present(partial(self._settle_of, ids))

    async def _settle_ended_of(self, home: Shard, api_key_id: str) -> bool:
        """Settles what has ended of a key's and others have not settled yet; whether there was any.

        How soon it looks again goes by how many there are, so that refusals do not keep servers busy.
        """
        now = time.monotonic()
        if now < self._look_from.get(api_key_id, 0.0):
            return False
        ids = await home.redis.smembers(home.keys.active_of(api_key_id))
        if len(self._look_from) > _MOST_NOTED:
            self._look_from.clear()
        self._look_from[api_key_id] = now + _LOOK_S * len(ids)
        return sum(await self._shards.present(partial(self._settle_of, ids, only_ended=True))) > 0

    async def _settle_of(self, evolution_ids: Iterable[str], shard: Shard, only_ended: bool = False) -> int:
        """Settles what a shard's outbox says of these; of how many it says something."""
        found = 0
        mine = [evolution_id for evolution_id in evolution_ids if self._shards.of(evolution_id) is shard]
        for first in range(0, len(mine), _AT_ONCE):
            part = mine[first : first + _AT_ONCE]
            texts = dict(zip(part, await shard.redis.hmget(shard.keys.outbox, part), strict=True))
            owed = {each: text for each, text in texts.items() if text and (not only_ended or _Owed.read(text).ended)}
            await self._settle_texts(shard, owed)
            found += len(owed)
        return found

    async def _settle_texts(self, shard: Shard, texts: Mapping[str, str]) -> None:
        """Settles what an outbox says, and takes it out; what fails stays there."""
        owed = {evolution_id: _Owed.read(text) for evolution_id, text in texts.items()}
        for home in self._shards:
            mine = {evolution_id: each for evolution_id, each in owed.items() if each.home == home.number}
            if mine:
                with suppress(Unavailable):
                    async with self._translated:
                        await self._settle(home, mine)
                        cleared = [texts[evolution_id] for evolution_id in mine]
                        await CLEAR(shard.redis, outbox=shard.keys.outbox, ids=list(mine), texts=cleared)

    async def _settle(self, home: Shard, owed: Mapping[str, _Owed]) -> None:
        await SETTLE(
            home.redis,
            accounts=home.keys("accounts"),
            unchecked=home.keys("accounts-unchecked"),
            reserved=home.keys.reserved,
            ids=list(owed),
            ended=[each.ended for each in owed.values()],
            tokens=[each.tokens for each in owed.values()],
            money=[each.money for each in owed.values()],
        )
