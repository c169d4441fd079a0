"""Evolutions in Redis: records under compare-and-set, event streams, leases, limits, cancel flags (see `layout`).

Each change is one script (see `scripts`), so it happens wholly or not at all, and a script that was sent twice changes
nothing more: clients may send again whatever they got no answer to. Scripts touch keys of several evolutions, all of
which are of one shard (see `shards`).
"""

import math
from collections.abc import Sequence
from dataclasses import replace

from shared.errors import Conflict, NotFound, Overloaded
from shared.records.attempts import Attempt
from shared.records.events import Accepted, Ended, Event
from shared.records.evolution import TERMINAL, Failure, Record, SavedState
from shared.records.spending import NOTHING, Spending
from shared.records.summary import summary_of
from shared.records.telling import Told
from shared.store import attempt_columns, kept_results, layout, scripts
from shared.store.accounts import AccountCommands
from shared.store.charges import limits_by_period, over_budget
from shared.store.fair_queue import class_of, place_of
from shared.store.layout import dumped
from shared.store.leases import LeaseCommands
from shared.store.limits import DEFAULT_LIMITS, ActiveLimits
from shared.store.queries import QueryCommands
from shared.store.queue import message
from shared.store.shards import Shards, new_evolution_id

_KEPT = 2
_SHORT = 1000
"""Characters of a request with which a list need not have a summary beside it: it can be made of the record."""


class Store(QueryCommands, LeaseCommands, AccountCommands):
    """Access to evolutions. Records expire `ttl_s` seconds after they end.

    Every caller that blocks in `events` holds one of `max_connections` to the evolution's shard. Every method raises
    `Unavailable` where Redis is away.
    """

    def __init__(self, redis: str | Shards, ttl_s: int, max_connections: int = 100, shards: int | None = None) -> None:
        super().__init__(redis, max_connections, shards)
        self._ttl_s = ttl_s

    async def close(self) -> None:
        await self.settled()
        await super().close()

    async def ping(self) -> None:
        """Raises `Unavailable` where no shard answers."""
        await self._shards.present(lambda shard: shard.redis.ping())

    async def create(self, record: Record, limits: ActiveLimits = DEFAULT_LIMITS) -> Record:
        """Stores a new record (version 0) with its first event, sends a message for its first round, and returns it.

        Where the record's idempotency key was used before for the same request, returns that evolution instead.

        Raises:
            Conflict: the idempotency key was used for another request.
            OverBudget: a budget leaves nothing to spend.
            Overloaded: another limit is reached.
        """
        home = self._home(record)
        if home is None:
            return await self._create(record, limits)
        shard = self._shards.of(record.id)
        async with self._translated:
            # What is accepted already is only looked for.
            if await shard.redis.exists(shard.keys.record(record.id), shard.keys.idempotency(record)):
                limits = replace(limits, active=0)
            if limits.active:
                await self._reserve(home, record, limits)
        try:
            created = await self._create(record, limits)
        except (Conflict, Overloaded):
            await self._give_back(home, record.id)
            raise
        if created.id != record.id:
            await self._give_back(home, record.id)
        return created

    async def _create(self, record: Record, limits: ActiveLimits) -> Record:
        shard, home = self._shards.of(record.id), self._home(record)
        if record.idempotency and self._shards.of(new_evolution_id(record.idempotency)) is not shard:
            raise ValueError(f"the id {record.id} was not made for its idempotency key")
        spent = [] if home else shard.keys.spent_by(record)
        request = "" if record.whole else dumped(layout.REQUEST, record.request, sparse=True)
        accepted = Accepted(record.request.method, record.request.profile, record.request.profile_owner)
        async with self._translated:
            outcome, evolution_id, *exceeded = await scripts.CREATE(
                shard.redis,
                **shard.keys.of(record),
                queue=shard.keys.queue,
                spent=spent,
                id=record.id,
                body=layout.dumped_body(record),
                request=request,
                event=dumped(layout.EVENT, accepted),
                max_active=math.ceil(limits.active / len(self._shards)),
                max_active_of_api_key=limits.active_per_key if record.key_id and not home else limits.active,
                fingerprint=record.idempotency.fingerprint if record.idempotency else "",
                summary=_summary(record) if record.whole or len(request) > _SHORT else "",
                created_at=record.created_at,
                deadline="" if record.deadline is None else record.deadline,
                ttl_s=self._ttl_s,
                trace=dumped(layout.TRACE, record.trace) if record.trace else "",
                charged=int(bool(record.key_id)),
                tenant=record.request.tenant,
                weight=limits.share.weight,
                place=place_of(record),
                home=home.number if home else "",
                **{"class": class_of(record, limits.share)},
                tokens=limits.estimate.counted,
                money=record.prices.nanos(limits.estimate) if record.prices else 0,
                token_limits=limits_by_period("tokens", limits.budgets) if spent else [],
                money_limits=limits_by_period("money", limits.budgets) if spent else [],
            )
        match outcome:
            case "accepted":
                return record if evolution_id == record.id else await self.load(evolution_id)
            case "conflict":
                raise Conflict("this Idempotency-Key was used for another request", field="idempotency-key")
            case "over budget":
                raise over_budget(limits.budgets, exceeded)
            case "key full":
                raise Overloaded(f"this key has {limits.active_per_key} evolutions queued or running: come back later")
        raise Overloaded(f"{limits.active} evolutions are queued or running: come back later")

    async def save(
        self,
        record: Record,
        events: Sequence[Event],
        spent: Spending = NOTHING,
        attempt: Attempt | None = None,
        delay_s: float = 0.0,
        next_holder: str = "",
        lease_s: float = 0.0,
        request_changed: bool = False,
        told: Told | None = None,
    ) -> bool:
        """Replaces version `record.version - 1` by `record`, and in the same step appends `events` and `attempt`, and
        charges what was `spent` since to the record's API key. The request is written only where it is changed. Of the
        events there is written what is new against what was `told` before them; everything where that is not known.

        In the same step the lease on it goes over to `next_holder`, who performs the round that follows, for `lease_s`
        seconds. Where there is no `next_holder` it is released instead, and a message is sent for that round, unless
        the evolution has ended; it is performed after `delay_s` seconds. Returns whether `next_holder` has the lease.

        Raises:
            Conflict: the record is at another version.
        """
        shard, home, expected = self._shards.of(record.id), self._home(record), record.version - 1
        ended, apart = record.status in TERMINAL, not record.whole
        state = record.state if isinstance(record.state, SavedState) else None
        texts, counts = layout.dumped_events(events, told if apart else None, together=apart)
        async with self._translated:
            saved = await scripts.SAVE(
                shard.redis,
                **shard.keys.of(record),
                state=shard.keys.state(record.id),
                attempts=shard.keys.attempts(record.id),
                lease=shard.keys.lease(record.id),
                cancelled=shard.keys.cancelled,
                spent=[] if home else shard.keys.spent_by(record),
                queue=shard.keys.queue,
                outbox=shard.keys.outbox,
                notices=shard.keys.notices,
                id=record.id,
                expected_version=expected,
                version=record.version,
                body="" if apart else layout.dumped_body(record),
                progress=layout.dumped_progress(record) if apart else "",
                request=dumped(layout.REQUEST, record.request, sparse=True) if request_changed and apart else "",
                result=kept_results.packed(record.result, record.request) if record.result and apart else "",
                head=state.head if state else "",
                part="".join(state.parts) if state else "",
                next_holder=next_holder,
                lease_ms=int(lease_s * 1000),
                ended=int(ended),
                tokens=spent.counted,
                money=record.prices.nanos(spent) if record.prices else 0,
                summary=_summary(record) if ended or not apart else "",
                ttl_s=self._ttl_s,
                attempt=_attempt(record, attempt) if attempt else "",
                message="" if ended or next_holder else message(record.id, record.version, delay_s),
                delay_s=delay_s,
                notice=_notice(record) if ended else "",
                home=home.number if home else "",
                new_events=texts,
                counts=counts,
            )
        if not saved:
            raise Conflict(f"evolution {record.id} is not at version {expected} any more")
        if home:
            self._settle_soon(record.id, ended=ended)
        return bool(saved == _KEPT)

    async def abandon(self, evolution_id: str, failure: Failure) -> None:
        """Ends an evolution whose record cannot be read: its followers see why, and it expires."""
        shard = self._shards.of(evolution_id)
        async with self._translated:
            await scripts.ABANDON(
                shard.redis,
                record=shard.keys.record(evolution_id),
                state=shard.keys.state(evolution_id),
                events=shard.keys.events(evolution_id),
                attempts=shard.keys.attempts(evolution_id),
                active=shard.keys.active,
                deadlines=shard.keys.deadlines,
                cancelled=shard.keys.cancelled,
                reserved=shard.keys.reserved,
                queue=shard.keys.queue,
                waiting=shard.keys.waiting,
                outbox=shard.keys.outbox,
                id=evolution_id,
                event=dumped(layout.EVENT, Ended("failed", error=failure)),
                ttl_s=self._ttl_s,
            )
        if len(self._shards) > 1:
            self._settle_soon(evolution_id, ended=True)

    async def delete(self, record: Record) -> bool:
        """Deletes what is kept of an evolution, its idempotency key included; False where it is queued or running."""
        shard = self._shards.of(record.id)
        keys = shard.keys.of(record)
        async with self._translated:
            return bool(
                await scripts.DELETE(
                    shard.redis,
                    **{name: keys[name] for name in ("record", "events", "active", "idempotency")},
                    **{name: keys[name] for name in ("all_list", "tenant_list")},
                    state=shard.keys.state(record.id),
                    attempts=shard.keys.attempts(record.id),
                    lease=shard.keys.lease(record.id),
                    id=record.id,
                )
            )

    async def keep_feedback(self, record: Record, score: float) -> float:
        """Keeps users' feedback about an answer, unless there is some; returns what is kept.

        Raises:
            NotFound: the record has expired.
        """
        shard = self._shards.of(record.id)
        async with self._translated:
            kept = await scripts.FEEDBACK(shard.redis, record=shard.keys.record(record.id), score=repr(score))
        if kept is None:
            raise NotFound(f"no evolution {record.id}")
        return float(kept)

    async def send(self, evolution_id: str, version: int) -> None:
        """Sends a message for the round that follows this version, for any worker to perform."""
        shard = self._shards.of(evolution_id)
        async with self._translated:
            await shard.redis.lpush(shard.keys.queue, message(evolution_id, version))


def _attempt(record: Record, attempt: Attempt) -> str:
    """The attempt as it is kept: in rows, where versions may read it that know no columns."""
    return dumped(layout.ATTEMPT, attempt, sparse=True) if record.whole else attempt_columns.packed(attempt)


def _summary(record: Record) -> str:
    return dumped(layout.SUMMARY, summary_of(record), sparse=not record.whole)


def _notice(record: Record) -> str:
    """What the end of an evolution leaves for webhooks: those of background responses are told."""
    options = record.request.response
    return f"response {record.id}" if options and options.background else ""
