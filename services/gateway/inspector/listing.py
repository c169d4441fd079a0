"""`GET /v1/evolutions`: evolutions page by page, filtered on the way."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.inspector.recordings import EvolutionList, summary
from shared.records.attempts import Summary
from shared.records.evolution import Method, Status
from shared.store.evolutions import Store

# Looked at for one page; whoever wants more asks for the next one.
MOST_LOOKED_AT = 2_000
_READ_AT_ONCE = 200

Number = Annotated[float, Field(allow_inf_nan=False)]


class Wanted(BaseModel):
    """Which evolutions are listed, and where the list begins. What is not known yet is in no range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=20, ge=1, le=100, description="Evolutions on a page.")
    after: str | None = Field(default=None, max_length=64, description="`last_id` of the page before.")
    status: Status | None = Field(default=None, description="The outcome, or how far it is.")
    method: Method | None = None
    tenant: str | None = Field(
        default=None, max_length=64, description="For keys that read all tenants; others see their own only."
    )
    min_gain: Number | None = Field(default=None, description="Least reward over the base response's.")
    max_gain: Number | None = None
    min_seconds: Number | None = Field(default=None, description="Least seconds from acceptance to the end.")
    max_seconds: Number | None = None

    def takes(self, found: Summary) -> bool:
        """Whether an evolution is listed."""
        return (
            self.status in (None, found.status)
            and self.method in (None, found.method)
            and _within(found.gain, self.min_gain, self.max_gain)
            and _within(found.seconds, self.min_seconds, self.max_seconds)
        )


async def listed(store: Store, wanted: Wanted, reads: str | None) -> EvolutionList:
    """A page of what the caller, who `reads` one tenant's evolutions or everybody's (None), may see.

    Raises:
        NotFound: `after` is not, or no more, in the list.
    """
    tenant = wanted.tenant if reads is None else reads
    if wanted.tenant not in (None, tenant):
        return EvolutionList(data=[], has_more=False, last_id=None)
    taken: list[Summary] = []
    after, looked_at = wanted.after, 0
    while looked_at < MOST_LOOKED_AT:
        found = await store.listed(tenant, after, _READ_AT_ONCE)
        taken += filter(wanted.takes, found)
        if len(taken) > wanted.limit:
            return _page(taken[: wanted.limit], True, taken[wanted.limit - 1].id)
        if not found:
            return _page(taken, False, taken[-1].id if taken else None)
        after, looked_at = found[-1].id, looked_at + len(found)
    return _page(taken, True, after)


def _page(taken: list[Summary], has_more: bool, last_id: str | None) -> EvolutionList:
    return EvolutionList(data=[summary(found) for found in taken], has_more=has_more, last_id=last_id)


def _within(value: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)
