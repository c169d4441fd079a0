"""Accepting an evolution: a new one, or the one that the caller's idempotency key already stands for."""

import hashlib
import json
import time
from dataclasses import replace
from typing import Annotated

from fastapi import Header, Request
from pydantic import BaseModel

from services.gateway.edge.access import Caller, caller_of
from services.gateway.edge.errors import StillRunning
from services.gateway.edge.middleware import response_headers, set_evolution_id
from services.gateway.edge.rates import Quota
from services.gateway.evolutions.admission import Admission
from services.gateway.evolutions.compiler import FormatCompiler
from services.gateway.evolutions.forms import check_forms
from services.gateway.evolutions.service import EvolutionService
from services.gateway.profiles.managed import ManagedProfiles
from shared.errors import DarwinError, NotFound, Overloaded, Unavailable
from shared.records.evolution import EvolutionRequest, Idempotency, Record, TraceContext
from shared.records.relative import check_relative
from shared.store.charges import OverBudget
from shared.store.limits import ActiveLimits
from shared.store.refusals import FORBIDDEN, refusal
from shared.store.shards import new_evolution_id
from shared.telemetry.tracing import current_span

REPLAYED_HEADER = "idempotent-replayed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="1 to 255 visible ASCII characters. The same key and body give the same evolution, however often "
        "they are sent, for as long as its record lives; hanging up does not cancel it.",
    ),
]

# With these limits the store accepts nothing new, and still returns what an idempotency key stands for.
_REPLAYS_ONLY = ActiveLimits(active=0, active_per_key=0)


def idempotency_of(request: Request, key: str | None, body: BaseModel, part: int = 0) -> Idempotency | None:
    """What the caller's idempotency key stands for; None where the call carries no `key`.

    The key counts within its tenant; `part` counts the evolutions of one call from 0. The fingerprint covers the route
    and the body, with its defaults filled in and before a seed is drawn.
    """
    if key is None:
        return None
    scoped_key = json.dumps([caller_of(request).tenant, key, *([part] if part else [])])
    content = json.dumps([request.url.path, body.model_dump(mode="json")], sort_keys=True)
    return Idempotency(key=_digest(scoped_key), fingerprint=_digest(content))


class Acceptance:
    """Starts evolutions; each valid call counts against the rate of its API key."""

    def __init__(
        self,
        evolutions: EvolutionService,
        admission: Admission,
        formats: FormatCompiler,
        profiles: ManagedProfiles,
    ) -> None:
        self._evolutions = evolutions
        self._admission = admission
        self._formats = formats
        self._profiles = profiles

    async def start(self, request: Request, evolution: EvolutionRequest, idempotency: Idempotency | None) -> Record:
        """The accepted evolution: a new one, or that of the first call with this idempotency key.

        Raises as `accept` does.
        """
        headers, evolution_id = response_headers(request), new_evolution_id(idempotency)
        accepted = await self.accept(
            caller_of(request), evolution, evolution_id, headers, idempotency=idempotency, trace=current_span()
        )
        set_evolution_id(request, accepted.id)
        if accepted.id != evolution_id:
            headers[REPLAYED_HEADER] = "true"
        return accepted

    async def accept(
        self,
        caller: Caller,
        evolution: EvolutionRequest,
        evolution_id: str,
        headers: dict[str, str],
        *,
        idempotency: Idempotency | None = None,
        trace: TraceContext | None = None,
    ) -> Record:
        """Accepts an evolution under this id for a caller, whether or not a call of HTTP asks for it.

        `headers` receives those that tell where the caller's limits stand, also where the evolution is refused.

        Raises:
            Conflict: the idempotency key was used for another request.
            InvalidRequest: a form that the request demands cannot be followed.
            NotFound: the caller's tenant may use no such reward profile.
            Overloaded: a limit of the API key or of the deployment is reached.
            PermissionDenied: the API key does not allow the model, the method or the reward profile.
            Unavailable: Redis or a stage is away.
            Unsupported: the language model of this deployment cannot do what the request needs.
        """
        self._admission.check_allowed(caller, evolution)
        record = Record(
            evolution_id,
            0,
            "queued",
            time.time(),
            replace(evolution, tenant=caller.tenant),
            key_id=caller.key.id if caller.key else "",
            idempotency=idempotency,
            trace=trace,
            prices=self._admission.prices,
        )
        if rate := await self._admission.count(caller):
            headers |= rate.headers
            rate.check()
        await check_forms(evolution, self._formats)
        if quota := await self._admission.quota(caller, record.created_at):
            headers |= quota.headers
        try:
            record = replace(record, request=await self._with_profile(record, caller))
            await self._admission.check_stages(evolution)
        except DarwinError as why:
            return await self._replayed(record, why)
        return await self._start(record, self._admission.limits(caller, evolution))

    async def _with_profile(self, record: Record, caller: Caller) -> EvolutionRequest:
        """The evolution under the version of its reward profile that is promoted now, or that a canary draws, and stays
        its own until it ends: of the profile that the request names, or of its API key's, or of the deployment's
        default."""
        named = record.request.profile or (caller.key.default_profile if caller.key else "")
        try:
            found = await self._profiles.resolve(caller.tenant, named, record)
        except NotFound as error:
            raise NotFound(error.message, field="darwin.profile") from None
        evolution = replace(
            record.request,
            profile=found.reference,
            profile_owner=found.owner,
            profile_canary=found.canary,
            relative_rewards=found.relative,
            wishes=found.wishes,
            self_certainty=found.self_certainty,
        )
        if evolution.profile_priced:
            price = self._admission.token_price(named, found)
            search = replace(evolution.search, token_price=price)
            evolution = replace(evolution, search=search, profile_priced=price is not None)
        check_relative(evolution)
        return evolution

    async def count(self, request: Request) -> None:
        """Counts a call that starts nothing, such as a cancel, against the rate of its API key.

        Raises:
            RateLimitExceeded: the key makes too many calls.
            Unavailable: Redis is away.
        """
        if rate := await self._admission.count(caller_of(request)):
            response_headers(request).update(rate.headers)
            rate.check()

    async def has_room(self, caller: Caller) -> bool:
        """Whether the caller's limits and this deployment's leave room for one more search, and its stages are there.

        Nothing is counted or reserved.
        """
        try:
            await self._admission.check_stages()
        except Unavailable:
            return False
        return await self._admission.has_room(caller, time.time())

    async def _start(self, record: Record, limits: ActiveLimits) -> Record:
        try:
            return await self._evolutions.start(record, limits)
        except Unavailable as error:
            if record.idempotency is not None:
                raise
            raise await self._unknown(record, error) from error
        except OverBudget as over:
            quota = Quota(over.budget, over.standing, record.created_at)
            raise quota.refusal(self._evolutions.search_s) from None

    async def _unknown(self, record: Record, error: Unavailable) -> Unavailable:
        """What a caller is told where Redis did not confirm: the search may have been accepted nevertheless, unless
        Redis forbids this process what that takes.
        """
        if error.__cause__ is not None and refusal(error.__cause__) in FORBIDDEN:
            return error
        try:
            await self._evolutions.stop(record)
        except Unavailable:
            return StillRunning(
                f"{error.message}; whether a search was accepted is not known: read GET /v1/evolutions/{record.id} "
                "before you send the call again"
            )
        return error

    async def _replayed(self, record: Record, why: DarwinError) -> Record:
        """The evolution that the record's idempotency key stands for already; raises `why` where there is none."""
        if record.idempotency is None:
            raise why
        try:
            return await self._evolutions.start(record, _REPLAYS_ONLY)
        except Overloaded:
            raise why from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
