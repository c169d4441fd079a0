"""Managed reward profiles: checked before they are kept, loaded before they are offered, found for each request."""

import asyncio
import logging
from dataclasses import dataclass

from services.gateway.profiles.models import RewardModels
from shared.errors import DarwinError, Unavailable, Unsupported
from shared.records.evolution import Record
from shared.records.profiles import ManagedProfile, ProfileVersion, Resolved, check_texts, split_reference
from shared.store.rollouts import Rollouts

log = logging.getLogger(__name__)

# Well within the minute after which the reward service takes a profile that nobody asks for as out of use.
_KEEP_S = 15.0
# Of how many versions is remembered what they say.
_KEPT = 1_000


@dataclass(frozen=True)
class Change:
    """Who changes profiles of which owner (a tenant; empty: those that all may use), and why."""

    owner: str
    by: str
    reason: str = ""


class ManagedProfiles:
    """The profiles in `store`, whose models the reward service loads; without one, profiles are its files alone, and
    none is managed.

    Every method raises `Unavailable` where Redis is away.
    """

    def __init__(self, store: Rollouts, reward: RewardModels | None) -> None:
        self.store = store
        self._reward = reward
        self._seeded = False
        self._told: set[str] = set()
        self._known: dict[tuple[str, str], ProfileVersion] = {}

    async def close(self) -> None:
        await self.store.close()
        if self._reward:
            await self._reward.close()

    def check_managed(self) -> RewardModels:
        """Raises `Unsupported` where no profile is managed."""
        if self._reward is None:
            raise Unsupported("this deployment manages no reward profiles: its operator sets DARWIN_GATEWAY_REWARD")
        return self._reward

    async def push(self, name: str, content: str, change: Change, *, promote: bool) -> ManagedProfile:
        """Adds a version once the reward service has loaded it and scored by it; the first of a name, and others where
        `promote` says so, once all replicas have it.

        Raises:
            InvalidRequest: the profile cannot be served; the message says what to change.
            Conflict: there are too many profiles or versions.
            Overloaded: the reward service has no memory for its models.
        """
        reward = self.check_managed()
        check_texts(content, change.reason)
        await self._seed()
        traits = await reward.check(name, content, tenants=bool(change.owner))
        if promote or name not in {profile.name for profile in await self.store.all(change.owner)}:
            await reward.load(name, content)
        who = (change.by, change.reason)
        return await self.store.push(change.owner, name, content, *who, promote=promote, traits=traits)

    async def drafted(self, owner: str, name: str, version: int | None, content: str | None) -> tuple[str, str]:
        """What is meant by a version of a name, or by a `content` that needs none: its reference and its YAML. Without
        both it is what the name means.

        Raises:
            NotFound: there is no such profile, or no such version of it.
        """
        if content is not None:
            check_texts(content, "")
            return name, content
        promoted = (await self.store.get(owner, name)).promoted
        number = version or promoted
        return f"{name}@{number}", (await self.store.version(owner, name, number)).content

    async def promote(self, name: str, version: int, change: Change) -> ManagedProfile:
        """Has the name mean this version once all replicas have loaded it; raises as `Profiles.promote` does."""
        await self.store.get(change.owner, name)
        await self.load(change.owner, name, version)
        return await self.store.promote(change.owner, name, version, change.by, change.reason)

    async def roll_back(self, name: str, promoted: int, change: Change) -> ManagedProfile:
        """Has the name mean what it did before `promoted`, once that is loaded; raises as `Profiles.roll_back` does."""
        await self.load(change.owner, name, (await self.store.get(change.owner, name)).rolled_back(promoted).promoted)
        return await self.store.roll_back(change.owner, name, promoted, change.by, change.reason)

    async def resolve(self, tenant: str, reference: str, record: Record | None = None) -> Resolved:
        """The version that a request of a tenant means, which becomes the `record`; what stands in it where no profile
        is managed.

        Raises:
            NotFound: the tenant may use no such profile.
        """
        if self._reward is None:
            return Resolved(reference, None)
        try:
            await self._seed()
        except Unavailable:
            log.info("the reward service's files are not known yet")
        resolved = await self.store.resolve(tenant, reference, record)
        version = await self._version(resolved)
        if version is None:
            return resolved
        return resolved._replace(wishes=version.wishes, self_certainty=version.self_certainty)

    async def _version(self, resolved: Resolved) -> ProfileVersion | None:
        """The version, if one is kept: it never changes, so that each is read once."""
        owner, split = resolved.owner, split_reference(resolved.reference)
        if owner is None or split is None or split[1] is None:
            return None
        key = owner, resolved.reference
        if key not in self._known:
            while len(self._known) >= _KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = await self.store.version(owner, split[0], split[1])
        return self._known[key]

    async def keep_loaded(self) -> None:
        """Has every replica hold what is in use, for good: also one that was started just now. Puts into effect what
        the outcomes of canaries have shown."""
        if self._reward is None:
            return
        while True:
            try:
                self._seeded = False
                await self._seed()
                for owner, profile in await self.store.offered():
                    await self._keep(owner, profile)
            except DarwinError as error:
                log.info("reward profiles could not be looked after: %s", error.message)
            except Exception:
                log.exception("reward profiles could not be looked after")
            await asyncio.sleep(_KEEP_S)

    async def _keep(self, owner: str, profile: ManagedProfile) -> None:
        """Looks after one profile: one whose models cannot be loaded holds up no other."""
        try:
            await self.conclude(owner, profile)
            for version in profile.in_use:
                await self.load(owner, profile.name, version)
        except Unavailable:
            raise
        except DarwinError as error:
            log.warning("the reward profile %s could not be looked after: %s", profile.name, error.message)

    async def conclude(self, owner: str, profile: ManagedProfile) -> None:
        """Promotes the version of an automatic canary that is better, and ends one that is worse. Whoever else does so
        at once changes nothing more."""
        canary = profile.canary
        if canary is None or not canary.automatic:
            return
        found = await self.store.evidence(canary)
        by, why = f"canary {canary.id}", f"{found.verdict} by {canary.metric}: {found}"
        if found.verdict == "better":
            await self.store.promote_canary(owner, profile.name, canary.id, by, why)
        elif found.verdict == "worse":
            await self.store.end_canary(owner, profile.name, by, why, canary.id)

    async def load(self, owner: str, name: str, version: int) -> None:
        """Has every replica hold this version; raises as `RewardModels.load` does, and `NotFound`."""
        content = (await self.store.version(owner, name, version)).content
        await self.check_managed().load(f"{name}@{version}", content)

    async def _seed(self) -> None:
        """Keeps the reward service's files, where they are new."""
        if self._seeded:
            return
        files = await self.check_managed().files()
        for name in await self.store.seed(dict(files.contents), files.default, files.traits):
            if name not in self._told:
                self._told.add(name)
                log.warning("the file of reward profile %s is not what was kept of it first: push it to use it", name)
        self._seeded = True
