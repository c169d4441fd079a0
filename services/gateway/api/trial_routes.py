"""`POST /v1/profiles/{name}/try`: what a version of a reward profile would have picked of recorded responses."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from services.gateway.api.openapi import failures
from services.gateway.api.profile_bodies import ProfileQuery
from services.gateway.api.profile_routes import Name, ProfileRoutes, known_owner
from services.gateway.api.trial_bodies import ProfileTrial, ProfileTry, profile_trial
from services.gateway.edge.access import caller_of
from services.gateway.edge.strict_json import StrictJsonRoute, require_json
from services.gateway.evolutions.call_charges import CallCharges
from services.gateway.evolutions.trials import Draft, Trials, Wanted
from services.gateway.profiles.managed import ManagedProfiles
from shared.errors import InvalidRequest
from shared.records.spending import Spending

_LAST = 10


class TrialRoutes:
    """The route by which profiles are tried, for those who may manage them."""

    def __init__(self, routes: ProfileRoutes, profiles: ManagedProfiles, trials: Trials, charges: CallCharges) -> None:
        self._profiles = profiles
        self._trials = trials
        self._charges = charges
        self.router = APIRouter(tags=["profiles"], route_class=StrictJsonRoute)
        self.router.add_api_route(
            "/v1/profiles/{name}/try",
            self.attempt,
            methods=["POST"],
            summary="Try a reward profile on recorded evolutions",
            dependencies=[Depends(routes.check), Depends(require_json)],
            responses=failures(400, 401, 403, 404, 408, 413, 415, 421, 429, 500, 503, 504),
        )

    async def attempt(
        self, request: Request, name: Name, query: Annotated[ProfileQuery, Query()], body: ProfileTry
    ) -> ProfileTrial:
        """Scores the final responses of evolutions that have ended, and tells which of them would have been the answer.
        No token is decoded and nothing is kept. A `content` is checked as at push. What reward models compute is
        charged to the key, evolution by evolution, at the price of reward tokens."""
        if body.version is not None and body.content is not None:
            raise InvalidRequest("give a version or a content, not both", field="content")
        if body.evolutions is not None and body.last is not None:
            raise InvalidRequest("give ids of evolutions or how many of the last ones, not both", field="last")
        owner = known_owner(request, name, query)
        readable = caller_of(request).readable_tenant
        reference, content = await self._profiles.drafted(owner, name, body.version, body.content)
        # A tenant's own profile is for its own evolutions, whoever tries it.
        tenant = owner if owner and readable is None else readable
        wanted = Wanted(body.evolutions or (), body.last or _LAST, tenant)
        trial = await self._trials.run(Draft(owner, reference, content), wanted, caller_of(request))
        return profile_trial(trial, self._charges.cost(Spending(reward=trial.tokens)))
