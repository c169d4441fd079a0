"""`/v1/profiles`: operators push, promote, roll back and delete reward profiles, and tenants their own."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from services.gateway.api.openapi import failures
from services.gateway.api.profile_bodies import (
    Profile,
    ProfileChanged,
    ProfileDeleted,
    ProfileDeleteQuery,
    ProfileList,
    ProfilePromote,
    ProfilePush,
    ProfileQuery,
    ProfileRollback,
    ProfileSummary,
    Version,
    VersionList,
    VersionsQuery,
)
from services.gateway.api.rollout_bodies import CanaryArm, ProfileCanary, ProfileShadow
from services.gateway.edge.access import caller_of
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.profiles.managed import Change, ManagedProfiles
from services.gateway.profiles.rollouts import ProfileRollouts
from shared.records.evidence import Evidence
from shared.records.profiles import NAME_PATTERN, ManagedProfile, unknown_profile
from shared.records.rollouts import Compared

Name = Annotated[str, Path(pattern=f"^{NAME_PATTERN}$", description="The profile's name.")]
_SHOWN_CHANGES = 100


class ProfileRoutes:
    """The routes of the profiles API; each is for operators' keys, and for a tenant's own profiles."""

    def __init__(self, profiles: ManagedProfiles, rollouts: ProfileRollouts) -> None:
        self._profiles = profiles
        self._rollouts = rollouts
        self._store = profiles.store
        self.router = APIRouter(tags=["profiles"], route_class=StrictJsonRoute)
        one = "/v1/profiles/{name}"
        self.add("GET", "/v1/profiles", self.list_profiles, "List reward profiles", 400)
        self.add("GET", one, self.read, "Read a reward profile", 400, 404)
        self.add("PUT", one, self.push, "Add a version of a reward profile", 400, 404, 408, 409, 413, 415, 504)
        self.add("DELETE", one, self.delete, "Delete a reward profile", 400, 404, 409)
        self.add("GET", f"{one}/versions", self.versions, "List a reward profile's versions", 400, 404)
        changed = (400, 404, 408, 409, 413, 415, 504)
        self.add("POST", f"{one}/promote", self.promote, "Choose the version that a name means", *changed)
        self.add("POST", f"{one}/rollback", self.roll_back, "Take the last promotion back", *changed)

    def add(self, method: str, path: str, route: Callable[..., Any], summary: str, *statuses: int) -> None:
        """Adds a route for who may manage profiles."""
        self.router.add_api_route(
            path,
            route,
            methods=[method],
            summary=summary,
            dependencies=[Depends(self.check), *([Depends(require_json)] if 415 in statuses else [])],
            responses=failures(401, 403, *statuses, 421, 429, 500, 503),
        )

    async def list_profiles(self, request: Request, query: Annotated[ProfileQuery, Query()]) -> ProfileList:
        """The profiles of one owner."""
        owner = _owner(request, query)
        found = [] if owner is None else await self._store.all(owner)
        default = await self._store.default()
        return ProfileList(data=[_summary(owner or "", profile, default) for profile in found])

    async def read(self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()]) -> Profile:
        """A profile, with the version that its name means."""
        owner = known_owner(request, name, query)
        return await self.shown(owner, await self._store.get(owner, name))

    async def push(
        self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()], body: ProfilePush
    ) -> Profile:
        """Adds a version, once the reward service has loaded its models and scored a response. A version that is
        promoted answers from the next request on; searches under way keep the one that they began with. What the
        latest version holds is not added again."""
        change = self.change(request, name, query, body.reason)
        pushed = await self._profiles.push(name, body.content, change, promote=body.promote)
        return await self.shown(change.owner, pushed)

    async def promote(
        self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()], body: ProfilePromote
    ) -> Profile:
        """Has the name mean a version, once every replica of the reward service has loaded it."""
        change = self.change(request, name, query, body.reason)
        return await self.shown(change.owner, await self._profiles.promote(name, body.version, change))

    async def roll_back(
        self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()], body: ProfileRollback
    ) -> Profile:
        """Has the name mean what it meant before the version that it means now."""
        change = self.change(request, name, query, body.reason)
        promoted = body.version or (await self._store.get(change.owner, name)).promoted
        return await self.shown(change.owner, await self._profiles.roll_back(name, promoted, change))

    async def versions(self, request: Request, name: Name, query: Annotated[VersionsQuery, Query()]) -> VersionList:
        """The versions of a profile, the newest first."""
        owner = known_owner(request, name, query)
        profile = await self._store.get(owner, name)
        newest = min(profile.latest, query.before - 1 if query.before else profile.latest)
        found = await self._store.versions(owner, name, newest, query.limit)
        data = [
            Version(
                reference=f"{name}@{each.version}",
                version=each.version,
                promoted=each.version == profile.promoted,
                content=each.content,
                by=each.by,
                created_at=each.at,
                reason=each.reason,
            )
            for each in found
        ]
        return VersionList(data=data, has_more=newest > query.limit)

    async def delete(
        self, request: Request, name: Name, query: Annotated[ProfileDeleteQuery, Query()]
    ) -> ProfileDeleted:
        """Deletes a profile; what is pushed under its name later has the next version."""
        change = self.change(request, name, query, query.reason)
        await self._store.delete(change.owner, name, change.by, change.reason)
        return ProfileDeleted(name=name)

    async def check(self, request: Request) -> None:
        """Refuses who may manage no profile, and where none is managed."""
        caller_of(request).check_manages_profiles()
        self._profiles.check_managed()

    def change(self, request: Request, name: str, query: ProfileQuery, reason: str) -> Change:
        """Who changes whose profile; raises `NotFound` where the caller may not."""
        key = caller_of(request).key
        by = f"key {key.id} of {key.tenant}" if key else "without a key"
        return Change(known_owner(request, name, query), by, reason)

    async def shown(self, owner: str, profile: ManagedProfile) -> Profile:
        """The profile as it is answered."""
        promoted = await self._store.version(owner, profile.name, profile.promoted)
        history = await self._store.history(owner, profile.name, _SHOWN_CHANGES)
        return Profile(
            **_summary(owner, profile, await self._store.default()).model_dump(),
            content=promoted.content,
            history=[ProfileChanged(**asdict(change)) for change in history],
            shadow=_shadow(profile, await self._rollouts.compared(profile)),
            canary=_canary(profile, await self._rollouts.evidence(profile)),
        )


def known_owner(request: Request, name: str, query: ProfileQuery) -> str:
    """Whose profiles the call is about; raises `NotFound` where the caller may not see them."""
    owner = _owner(request, query)
    if owner is None:
        raise unknown_profile(name)
    return owner


def _owner(request: Request, query: ProfileQuery) -> str | None:
    caller = caller_of(request)
    owner = query.tenant
    if owner is None:
        owner = "" if caller.may_manage_profiles("") else caller.tenant
    return owner if caller.may_manage_profiles(owner) else None


def _summary(owner: str, profile: ManagedProfile, default: str) -> ProfileSummary:
    return ProfileSummary(
        name=profile.name,
        tenant=owner,
        promoted=profile.promoted,
        latest=profile.latest,
        default=not owner and profile.name == default,
    )


def _shadow(profile: ManagedProfile, compared: Compared | None) -> ProfileShadow | None:
    if profile.shadow is None or compared is None:
        return None
    return ProfileShadow(version=profile.shadow.version, share=profile.shadow.share, **asdict(compared))


def _canary(profile: ManagedProfile, evidence: Evidence | None) -> ProfileCanary | None:
    canary = profile.canary
    if canary is None or evidence is None:
        return None
    promoted, its = (
        CanaryArm(version=version, outcomes=count, mean=total / count if count else None)
        for version, count, total in zip(
            (profile.promoted, canary.version), evidence.counts, evidence.sums, strict=True
        )
    )
    return ProfileCanary(
        version=canary.version,
        share=canary.share,
        by=canary.by,
        metric=canary.metric,
        judge=canary.judge,
        level=canary.level,
        automatic=canary.automatic,
        promoted=promoted,
        canary=its,
        lower=evidence.lower,
        upper=evidence.upper,
        verdict=evidence.verdict or None,
        verdict_after=evidence.after or None,
    )
