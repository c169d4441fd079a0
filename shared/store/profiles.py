"""Reward profiles that are managed, in Redis.

Redis keys, on the first shard, as those of API keys; the owner is a tenant, or empty for profiles that all may use:
  profiles:{owner}               hash: name -> JSON of which versions there are and which is promoted
  profile-versions:{owner}       hash: name@version -> JSON of what was pushed
  profile-history:{owner}:{name} list of changes as JSON, the newest first
  profile-owners                 set of all owners
  profiles-default               the name of the deployment's default; there once the reward service's files were kept
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from pydantic import TypeAdapter

from shared.errors import Conflict, NotFound
from shared.records.evolution import Record
from shared.records.profiles import (
    MAX_HISTORY,
    MAX_PROFILES,
    PLAIN,
    SEED,
    ChangeKind,
    ManagedProfile,
    ProfileChange,
    ProfileVersion,
    Resolved,
    Traits,
    check_texts,
    split_reference,
    unknown_profile,
)
from shared.store.layout import dumped, parsed
from shared.store.profile_scripts import CHANGED
from shared.store.shards import RedisClient

_PROFILE: TypeAdapter[ManagedProfile] = TypeAdapter(ManagedProfile)
_VERSION: TypeAdapter[ProfileVersion] = TypeAdapter(ProfileVersion)
_CHANGE: TypeAdapter[ProfileChange] = TypeAdapter(ProfileChange)
_MAX_TRIES = 20


class Step(NamedTuple):
    """A change of a profile: what it is then, and what its history says."""

    after: ManagedProfile
    kind: ChangeKind
    version: int
    content: str | None = None
    traits: Traits = PLAIN


class Profiles(RedisClient):
    """The managed profiles of all owners. A change holds from the next request on.

    Every method raises `Unavailable` where Redis is away. Names of profiles and owners are checked by callers.
    """

    _known_default = ""  # set once in Redis; read anew where a profile is not found

    async def all(self, owner: str) -> list[ManagedProfile]:
        """An owner's profiles by name, without deleted ones."""
        async with self._translated:
            bodies = await self._redis.hgetall(self._profiles(owner))
        found = [_profile(name, body) for name, body in sorted(bodies.items())]
        return [profile for profile in found if not profile.deleted]

    async def get(self, owner: str, name: str) -> ManagedProfile:
        """Raises `NotFound` where the owner has no such profile, or has deleted it."""
        async with self._translated:
            body = await self._redis.hget(self._profiles(owner), name)
        profile = _profile(name, body) if body else None
        if profile is None or profile.deleted:
            raise unknown_profile(name)
        return profile

    async def version(self, owner: str, name: str, version: int) -> ProfileVersion:
        """What was pushed as this version, of a deleted profile too.

        Raises:
            NotFound: there is no such version.
        """
        async with self._translated:
            body = await self._redis.hget(self._versions(owner), f"{name}@{version}")
        if body is None:
            raise unknown_profile(f"{name}@{version}")
        return parsed(_VERSION, body, f"version {version} of the reward profile {name}")

    async def versions(self, owner: str, name: str, newest: int, count: int) -> list[ProfileVersion]:
        """At most `count` versions from `newest` on downwards."""
        numbers = range(newest, max(0, newest - count), -1)
        if not numbers:
            return []
        async with self._translated:
            bodies = await self._redis.hmget(self._versions(owner), [f"{name}@{number}" for number in numbers])
        return [parsed(_VERSION, body, f"a version of the reward profile {name}") for body in bodies if body]

    async def history(self, owner: str, name: str, count: int) -> list[ProfileChange]:
        """At most `count` changes of a profile, the newest first."""
        async with self._translated:
            bodies = await self._redis.lrange(self._history(owner, name), 0, count - 1)
        return [parsed(_CHANGE, body, f"the history of the reward profile {name}") for body in bodies]

    async def push(
        self, owner: str, name: str, content: str, by: str, reason: str, *, promote: bool, traits: Traits = PLAIN
    ) -> ManagedProfile:
        """Adds a version, unless the latest has this content, which has these `traits`.

        The first version of a name is promoted, others where `promote` says so.

        Raises:
            InvalidRequest: the content or the reason is too long.
            Conflict: there are too many profiles or versions; says what to do.
        """
        check_texts(content, reason)
        known = await self._names(owner)
        if name not in known and len(known) >= MAX_PROFILES:
            raise Conflict(f"there are {MAX_PROFILES} profiles, deleted ones among them: push to one of their names")

        async def pushed(profile: ManagedProfile | None) -> Step | None:
            if profile is None:
                first = ManagedProfile(name, 1, 1, relative=(1,) if traits.relative else ())
                return Step(first, "pushed", 1, content, traits)
            if not profile.deleted and (await self.version(owner, name, profile.latest)).content == content:
                after = profile.with_promoted(profile.latest) if promote else profile
                return Step(after, "promoted", profile.latest) if after != profile else None
            after = profile.with_next(promote=promote, relative=traits.relative)
            return Step(after, "pushed", after.latest, content, traits)

        return await self.change(owner, name, pushed, by, reason)

    async def promote(self, owner: str, name: str, version: int, by: str, reason: str) -> ManagedProfile:
        """Has the name mean this version from now on.

        Raises:
            NotFound: there is no such profile or version.
        """
        check_texts("", reason)

        async def promoted(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            after = profile.with_promoted(version)
            return Step(after, "promoted", version) if after != profile else None

        return await self.change(owner, name, promoted, by, reason)

    async def roll_back(self, owner: str, name: str, promoted: int, by: str, reason: str) -> ManagedProfile:
        """Has the name mean what it meant before `promoted` was. Sent twice, it goes back once.

        Raises:
            NotFound: there is no such profile.
            Conflict: another version is promoted by now, or none was before.
        """
        check_texts("", reason)

        async def rolled(profile: ManagedProfile | None) -> Step | None:
            after = existing(name, profile).rolled_back(promoted)
            return Step(after, "rolled_back", after.promoted)

        return await self.change(owner, name, rolled, by, reason)

    async def delete(self, owner: str, name: str, by: str, reason: str) -> ManagedProfile:
        """Has nobody find the profile any more; evolutions that use a version of it go on with it.

        Raises:
            NotFound: there is no such profile.
            Conflict: it is the deployment's default.
        """
        check_texts("", reason)
        if not owner and name == await self.default():
            raise Conflict(f"{name} is the default of this deployment: push or promote another version of it instead")

        async def deleted(profile: ManagedProfile | None) -> Step | None:
            profile = existing(name, profile)
            return Step(replace(profile.without_rollouts(), deleted=True), "deleted", profile.promoted)

        return await self.change(owner, name, deleted, by, reason)

    async def default(self) -> str:
        """The name of the deployment's default; empty where no profile has been kept so far."""
        async with self._translated:
            return str(await self._redis.get(self._key("profiles-default")) or "")

    async def seed(self, contents: dict[str, str], default: str, traits: Mapping[str, Traits] = {}) -> list[str]:
        """Keeps profiles of the reward service's files as first versions that all may use, where their names have never
        been used, and the name of the default; returns the names of those that have another content here.
        """
        known, why = await self._names(""), "a file of the reward service"
        for name in contents.keys() - known:
            await self.push("", name, contents[name], SEED, why, promote=False, traits=traits.get(name, PLAIN))
        async with self._translated:
            await self._redis.set(self._key("profiles-default"), default, nx=True)
        again = contents.keys() & known
        return [name for name in again if (await self.version("", name, 1)).content != contents[name]]

    async def resolve(self, tenant: str, reference: str, record: Record | None = None) -> Resolved:
        """The version that a tenant's request means by `name` or `name@version`: the tenant's own before those that all
        may use; the deployment's default where `reference` is empty. Under a canary a name means what is drawn for the
        `record`, which is to be accepted. What stands in it is taken as it is where no profile has been kept so far.
        It takes one call of Redis, so that requests wait for no more and find at once what is promoted.

        Raises:
            NotFound: the tenant may use no such profile.
        """
        if self._known_default:
            with suppress(NotFound):
                return await self._resolved(tenant, reference or self._known_default, record)
        self._known_default = await self.default()
        if not self._known_default:
            return Resolved(reference, None)
        return await self._resolved(tenant, reference or self._known_default, record)

    async def _resolved(self, tenant: str, reference: str, record: Record | None) -> Resolved:
        split = split_reference(reference)
        if split is None:
            raise unknown_profile(reference)
        name, version = split
        owners = list(dict.fromkeys((tenant, "")))
        async with self._translated, self._redis.pipeline(transaction=False) as pipeline:
            for owner in owners:
                pipeline.hget(self._profiles(owner), name)
            bodies = await pipeline.execute()
        for owner, body in zip(owners, bodies, strict=True):
            if body and (found := _profile(name, body).resolved(owner, version, record)):
                return found
        raise unknown_profile(reference)

    async def offered(self) -> list[tuple[str, ManagedProfile]]:
        """Every owner's profiles, with their owners."""
        async with self._translated:
            owners = await self._redis.smembers(self._key("profile-owners"))
        return [(owner, profile) for owner in sorted(owners) for profile in await self.all(owner)]

    async def change(
        self,
        owner: str,
        name: str,
        change: Callable[[ManagedProfile | None], Awaitable[Step | None]],
        by: str,
        reason: str,
    ) -> ManagedProfile:
        """Does what `change` says of the profile as it is, None where there is none; two who change it at once both
        have their way, or are told."""
        for _ in range(_MAX_TRIES):
            async with self._translated:
                before = await self._redis.hget(self._profiles(owner), name)
            profile = _profile(name, before) if before else None
            step = await change(profile)
            if step is None:
                assert profile is not None
                return profile
            at = time.time()
            says = (step.traits.wishes, step.traits.self_certainty)
            made = ProfileVersion(step.version, step.content or "", by, at, reason, *says)
            async with self._translated:
                done = await CHANGED(
                    self._redis,
                    profiles=self._profiles(owner),
                    versions=self._versions(owner),
                    history=self._history(owner, name),
                    owners=self._key("profile-owners"),
                    name=name,
                    before=before or "",
                    after=dumped(_PROFILE, step.after),
                    version=f"{name}@{step.version}" if step.content else "",
                    body=dumped(_VERSION, made) if step.content else "",
                    change=dumped(_CHANGE, ProfileChange(step.kind, step.version, by, at, reason)),
                    most=MAX_HISTORY,
                    owner=owner,
                )
            if done:
                return step.after
        raise Conflict(f"the reward profile {name} changes all the time")

    async def _names(self, owner: str) -> set[str]:
        async with self._translated:
            return set(await self._redis.hkeys(self._profiles(owner)))

    def _profiles(self, owner: str) -> str:
        return self._key(f"profiles:{owner}")

    def _versions(self, owner: str) -> str:
        return self._key(f"profile-versions:{owner}")

    def _history(self, owner: str, name: str) -> str:
        return self._key(f"profile-history:{owner}:{name}")


def _profile(name: str, body: str) -> ManagedProfile:
    return parsed(_PROFILE, body, f"the reward profile {name}")


def existing(name: str, profile: ManagedProfile | None) -> ManagedProfile:
    """The profile; raises `NotFound` where there is none, or it is deleted."""
    if profile is None or profile.deleted:
        raise unknown_profile(name)
    return profile
