"""What is tried beside a reward profile's promoted version, and the feedback that decides about it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.gateway.api.evolution_routes import EvolutionId
from services.gateway.api.openapi import failures
from services.gateway.api.profile_bodies import Profile, ProfileDeleteQuery, ProfileQuery
from services.gateway.api.profile_routes import Name, ProfileRoutes
from services.gateway.api.rollout_bodies import CanaryStart, Feedback, FeedbackCreate, ShadowStart
from services.gateway.edge.access import caller_of
from services.gateway.edge.middleware import set_evolution_id
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.acceptance import Acceptance
from services.gateway.evolutions.service import EvolutionService
from services.gateway.profiles.rollouts import CanaryTerms, ProfileRollouts

_STARTED = (400, 404, 408, 409, 413, 415, 504)


class RolloutRoutes:
    """The routes of shadows and canaries, for who may manage the profile; they are added to those of profiles."""

    def __init__(self, profiles: ProfileRoutes, rollouts: ProfileRollouts) -> None:
        self._profiles = profiles
        self._rollouts = rollouts
        shadow, canary = "/v1/profiles/{name}/shadow", "/v1/profiles/{name}/canary"
        profiles.add("POST", shadow, self.start_shadow, "Score beside a reward profile", *_STARTED)
        profiles.add("DELETE", shadow, self.end_shadow, "End a shadow", 400, 404, 409)
        profiles.add("POST", canary, self.start_canary, "Try a version on a share of callers", *_STARTED)
        profiles.add("DELETE", canary, self.end_canary, "End a canary", 400, 404, 409)

    async def start_shadow(
        self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()], body: ShadowStart
    ) -> Profile:
        """Has a version score what a share of the searches under the promoted one have found, once they have ended.
        Nothing changes for callers; what it would have decided otherwise is counted."""
        change = self._profiles.change(request, name, query, body.reason)
        started = await self._rollouts.start_shadow(name, body.version, body.share, change)
        return await self._profiles.shown(change.owner, started)

    async def end_shadow(self, request: Request, name: Name, query: Annotated[ProfileDeleteQuery, Query()]) -> Profile:
        """Ends the shadow; without one, nothing changes."""
        change = self._profiles.change(request, name, query, query.reason)
        return await self._profiles.shown(change.owner, await self._rollouts.end_shadow(name, change))

    async def start_canary(
        self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()], body: CanaryStart
    ) -> Profile:
        """Has a share of those who name the profile, without a version, get another one. A search keeps the version
        that it began with."""
        change = self._profiles.change(request, name, query, body.reason)
        terms = CanaryTerms(body.version, body.share, body.by, body.metric, body.level, body.automatic, body.judge)
        return await self._profiles.shown(change.owner, await self._rollouts.start_canary(name, terms, change))

    async def end_canary(self, request: Request, name: Name, query: Annotated[ProfileDeleteQuery, Query()]) -> Profile:
        """Ends the canary: the name means the promoted version for all. Without one, nothing changes."""
        change = self._profiles.change(request, name, query, query.reason)
        return await self._profiles.shown(change.owner, await self._rollouts.end_canary(name, change))


class FeedbackRoutes:
    """The route by which callers say what their users think of an answer."""

    def __init__(self, acceptance: Acceptance, evolutions: EvolutionService, rollouts: ProfileRollouts) -> None:
        self._acceptance = acceptance
        self._evolutions = evolutions
        self._rollouts = rollouts
        self.router = APIRouter(tags=["evolutions"], route_class=StrictJsonRoute)
        self.router.add_api_route(
            "/v1/evolutions/{evolution_id}/feedback",
            self.give,
            methods=["POST"],
            summary="Say how good an answer was",
            dependencies=[Depends(require_json)],
            responses=failures(400, 401, 404, 408, 409, 413, 415, 421, 429, 500, 503),
        )

    async def give(self, request: Request, evolution_id: EvolutionId, body: FeedbackCreate) -> Feedback:
        """Keeps what users think of an answer, once for each evolution of the caller's own; sent again, it changes
        nothing. A canary of its reward profile may be decided by it. A call counts against the rate of its API key."""
        caller = caller_of(request)
        await self._acceptance.count(request)
        record = await self._evolutions.keep_feedback(evolution_id, caller.tenant, caller.readable_tenant, body.score)
        set_evolution_id(request, record.id)
        await self._rollouts.note_feedback(record, body.score)
        return Feedback(evolution=record.id, score=body.score)
