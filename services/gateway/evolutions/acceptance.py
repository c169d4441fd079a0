"""From a valid body to an accepted evolution: what both POST routes share."""

import time
import uuid
from dataclasses import replace
from typing import Annotated

from fastapi import Header, Request

from services.gateway.api.idempotency import REPLAYED_HEADER, idempotency
from services.gateway.api.requests import AlignmentRequest
from services.gateway.api.validation import evolution_request
from services.gateway.edge.access import caller_of
from services.gateway.edge.middleware import answer_headers, name_evolution
from services.gateway.evolutions.admission import Admission
from services.gateway.evolutions.following import EvolutionService
from services.gateway.settings import GatewaySettings
from shared.errors import DarwinError, Overloaded
from shared.records.evolution import Record
from shared.store.evolutions import ActiveLimits
from shared.telemetry.tracing import current_span

IdempotencyKey = Annotated[
    str | None,
    Header(
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="1 to 255 visible ASCII characters. The same key and body give the same evolution, however often "
        "they are sent, for as long as its record lives; hanging up does not cancel it.",
    ),
]

# Nothing new fits, so only what stands already is found.
_REPEATS_ONLY = ActiveLimits(active=0, active_per_key=0)


class Acceptance:
    """Starts evolutions; each valid call counts against the rate of its key."""

    def __init__(self, evolutions: EvolutionService, admission: Admission, settings: GatewaySettings) -> None:
        self._evolutions = evolutions
        self._admission = admission
        self._settings = settings

    async def start(self, request: Request, body: AlignmentRequest, key: str | None) -> Record:
        """The accepted evolution: a new one, or that of the first call with this idempotency key.

        Raises:
            InvalidRequest: the request must change.
            Conflict: the idempotency key was used for another request.
            Overloaded: a limit of the key or of the deployment is reached.
            Unavailable: Redis or a stage is away.
        """
        caller = caller_of(request)
        record = Record(
            f"evo_{uuid.uuid4().hex}",
            0,
            "queued",
            time.time(),
            replace(evolution_request(body, self._settings), tenant=caller.tenant),
            key_id=caller.key.id if caller.key else "",
            idempotency=idempotency(caller.tenant, key, request.url.path, body),
            trace=current_span(),
        )
        headers = answer_headers(request)
        if rate := await self._admission.count(caller):
            headers |= rate.headers
            rate.check()
        try:
            await self._admission.check(caller)
        except DarwinError as refusal:
            accepted = await self._repeated(record, refusal)
        else:
            accepted = await self._evolutions.start(record, self._admission.limits(caller))
        name_evolution(request, accepted.id)
        if accepted.id != record.id:
            headers[REPLAYED_HEADER] = "true"
        return accepted

    async def _repeated(self, record: Record, refusal: DarwinError) -> Record:
        """The evolution that stands already; raises `refusal` where there is none."""
        if record.idempotency is None:
            raise refusal
        try:
            return await self._evolutions.start(record, _REPEATS_ONLY)
        except Overloaded:
            raise refusal from None
