"""Shadows and canaries of managed reward profiles in Redis, beside the profiles.

Redis keys, on the first shard, each of which expires a month after it was last added to:
  profile-shadow:{id}          hash: {promoted version}:{what} -> what was counted of a shadow
  profile-shadow-seen:{id}     sorted set of the evolutions that were counted last, by when
  profile-canary:{id}          what the outcomes of a canary show, as JSON
  profile-canary-units:{id}    set of the users or evolutions whose outcomes are counted
"""

import time
import uuid
from dataclasses import asdict, fields, replace

from pydantic import TypeAdapter

from shared.errors import Conflict
from shared.records.evidence import Evidence
from shared.records.profiles import ManagedProfile, check_texts
from shared.records.rollouts import MAX_OUTCOMES, Canary, Compared, Shadow
from shared.store.layout import dumped, parsed
from shared.store.lua import Script
from shared.store.profiles import Profiles, Step, existing

_EVIDENCE: TypeAdapter[Evidence] = TypeAdapter(Evidence)
_TTL_S = 30 * 86_400
_MAX_TRIES = 50
# Who sends a script again does so within seconds, in which fewer evolutions are compared.
_SEEN = 1_000

# Sent twice, it counts once.
_COUNT = Script(
    """
if not redis.call('ZSCORE', seen, id) then
  redis.call('ZADD', seen, at, id)
  redis.call('ZREMRANGEBYRANK', seen, 0, -tonumber(most) - 1)
  for i, name in ipairs(names) do redis.call('HINCRBY', counts, name, numbers[i]) end
end
redis.call('EXPIRE', seen, ttl_s)
redis.call('EXPIRE', counts, ttl_s)
""",
    keys="counts seen",
    args="id at most ttl_s *names *numbers",
)
# Returns 1 where the outcome is counted now or was before, 0 where others were counted meanwhile.
_ADD = Script(
    """
if redis.call('SISMEMBER', units, unit) == 1 then return 1 end
if (redis.call('GET', evidence) or '') ~= before then return 0 end
redis.call('SET', evidence, after, 'EX', ttl_s)
redis.call('SADD', units, unit)
redis.call('EXPIRE', units, ttl_s)
return 1
""",
    keys="evidence units",
    args="unit before after ttl_s",
)


class Rollouts(Profiles):
    """The managed profiles with what is tried beside their promoted versions. Raises as `Profiles` does."""

    async def start_shadow(
        self, owner: str, name: str, version: int, share: float, by: str, reason: str
    ) -> ManagedProfile:
        """Has a version score what a share of the evolutions under the promoted one find; counts begin anew, unless it
        does so already.

        Raises:
            NotFound: there is no such profile or version.
            InvalidRequest: the version is the promoted one.
        """
        check_texts("", reason)

        async def started(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            shadow = Shadow(new_id(), profile.beside(version), share)
            if profile.shadow == replace(shadow, id=profile.shadow.id if profile.shadow else ""):
                return None
            return Step(replace(profile, shadow=shadow), "shadow_started", version)

        return await self.change(owner, name, started, by, reason or f"share {share:g}")

    async def end_shadow(self, owner: str, name: str, by: str, reason: str) -> ManagedProfile:
        """Ends the shadow, where there is one; raises `NotFound` where there is no such profile."""
        check_texts("", reason)

        async def ended(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            shadow = profile.shadow
            return Step(replace(profile, shadow=None), "shadow_ended", shadow.version) if shadow else None

        return await self.change(owner, name, ended, by, reason)

    async def start_canary(self, owner: str, name: str, canary: Canary, by: str, reason: str) -> ManagedProfile:
        """Has a share of those who name the profile get the canary's version; raises as `start_shadow` does.

        Raises:
            Conflict: there is another canary.
        """
        check_texts("", reason)

        async def started(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            profile.beside(canary.version)
            if profile.canary == replace(canary, id=profile.canary.id if profile.canary else ""):
                return None
            if profile.canary:
                raise Conflict(f"{name}@{profile.canary.version} is the canary: end it first")
            return Step(replace(profile, canary=canary), "canary_started", canary.version)

        return await self.change(owner, name, started, by, reason or f"share {canary.share:g} by {canary.by}")

    async def end_canary(self, owner: str, name: str, by: str, reason: str, canary_id: str = "") -> ManagedProfile:
        """Ends the canary, where there is one, or the one of this id; the name goes on to mean the promoted version.

        Raises:
            NotFound: there is no such profile.
        """
        check_texts("", reason)

        async def ended(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            canary = _of_id(profile.canary, canary_id)
            return Step(replace(profile, canary=None), "canary_ended", canary.version) if canary else None

        return await self.change(owner, name, ended, by, reason)

    async def promote_canary(self, owner: str, name: str, canary_id: str, by: str, reason: str) -> ManagedProfile:
        """Promotes the version of the canary of this id, which ends with that; nothing where it has ended.

        Raises:
            NotFound: there is no such profile.
        """

        async def promoted(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            canary = _of_id(profile.canary, canary_id)
            return Step(profile.with_promoted(canary.version), "promoted", canary.version) if canary else None

        return await self.change(owner, name, promoted, by, reason)

    async def count(self, shadow: Shadow, promoted: int, evolution_id: str, found: Compared) -> None:
        """Adds what a shadow would have decided otherwise in an evolution under this promoted version, once however
        often it is added."""
        numbers = asdict(found)
        async with self._translated:
            await _COUNT(
                self._redis,
                counts=self._key(f"profile-shadow:{shadow.id}"),
                seen=self._key(f"profile-shadow-seen:{shadow.id}"),
                id=evolution_id,
                at=time.time(),
                most=_SEEN,
                ttl_s=_TTL_S,
                names=[f"{promoted}:{what}" for what in numbers],
                numbers=list(numbers.values()),
            )

    async def compared(self, shadow: Shadow, promoted: int) -> Compared:
        """What was counted of a shadow beside this promoted version."""
        names = [f"{promoted}:{field.name}" for field in fields(Compared)]
        async with self._translated:
            numbers = await self._redis.hmget(self._key(f"profile-shadow:{shadow.id}"), names)
        return Compared(*(int(number or 0) for number in numbers))

    async def add_outcome(self, canary: Canary, unit: str, outcome: float) -> Evidence:
        """Counts the outcome of a unit of the canary's, once: later ones of the same unit tell nothing new, since its
        version was drawn once. Returns what there is to see then.

        Raises:
            ValueError: the outcome is not in [0, 1].
            Conflict: so many others are counted at once that this one is not.
        """
        key, arm = self._key(f"profile-canary:{canary.id}"), canary.takes(unit)
        for _ in range(_MAX_TRIES):
            async with self._translated:
                before = await self._redis.get(key)
            known = _evidence(before)
            if known.outcomes >= MAX_OUTCOMES:
                return known
            found = known.with_outcome(outcome, canary=arm, share=canary.share, level=canary.level)
            async with self._translated:
                done = await _ADD(
                    self._redis,
                    evidence=key,
                    units=self._key(f"profile-canary-units:{canary.id}"),
                    unit=unit,
                    before=before or "",
                    after=dumped(_EVIDENCE, found),
                    ttl_s=_TTL_S,
                )
            if done:
                return await self.evidence(canary)
        raise Conflict("outcomes come too fast to be counted: send this one again")

    async def evidence(self, canary: Canary) -> Evidence:
        """What the outcomes of a canary show so far."""
        async with self._translated:
            return _evidence(await self._redis.get(self._key(f"profile-canary:{canary.id}")))


def new_id() -> str:
    """A fresh id of a shadow or canary, which draws otherwise than those before it."""
    return uuid.uuid4().hex[:16]


def _of_id(canary: Canary | None, canary_id: str) -> Canary | None:
    return canary if canary and canary_id in ("", canary.id) else None


def _evidence(body: str | None) -> Evidence:
    return parsed(_EVIDENCE, body, "what a canary's outcomes show") if body else Evidence()
