"""`GET /v1/evolutions`: the evolutions page by page, filtered while they are read."""

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from services.gateway.inspector.recordings import EvolutionList, summary
from shared.methods import Method
from shared.records.evolution import Status
from shared.records.summary import Summary
from shared.store.evolutions import Store

# The most summaries that are examined for one page; a caller who wants more asks for the next page.
MAX_EXAMINED = 2_000
_READ_AT_ONCE = 200


class ListQuery(BaseModel):
    """Which evolutions are listed, and where the list begins. A value that is not known yet lies in no range."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: int = Field(default=20, ge=1, le=100, description="Evolutions on a page.")
    after: str | None = Field(default=None, max_length=64, description="`last_id` of the page before.")
    status: Status | None = Field(default=None, description="The outcome, or how far it is.")
    method: Method | None = None
    tenant: str | None = Field(
        default=None, max_length=64, description="For keys that read all tenants; others see their own only."
    )
    min_gain: FiniteFloat | None = Field(default=None, description="Least reward over the base response's.")
    max_gain: FiniteFloat | None = None
    min_seconds: FiniteFloat | None = Field(default=None, description="Least seconds from acceptance to the end.")
    max_seconds: FiniteFloat | None = None

    def matches(self, evolution: Summary) -> bool:
        """Whether an evolution passes every filter."""
        return (
            self.status in (None, evolution.status)
            and self.method in (None, evolution.method)
            and _within(evolution.gain, self.min_gain, self.max_gain)
            and _within(evolution.seconds, self.min_seconds, self.max_seconds)
        )


async def read_page(store: Store, query: ListQuery, readable_tenant: str | None) -> EvolutionList:
    """A page of the evolutions of `readable_tenant`, or, where that is None, of every tenant.

    Raises:
        NotFound: the list does not hold `after`, or no longer.
    """
    tenant = query.tenant if readable_tenant is None else readable_tenant
    if query.tenant not in (None, tenant):
        return EvolutionList(data=[], has_more=False, last_id=None)
    matching: list[Summary] = []
    after, examined = query.after, 0
    while examined < MAX_EXAMINED:
        read = await store.listed(tenant, after, _READ_AT_ONCE)
        matching += filter(query.matches, read)
        if len(matching) > query.limit:
            return _page(matching[: query.limit], True, matching[query.limit - 1].id)
        if not read:
            return _page(matching, False, matching[-1].id if matching else None)
        after, examined = read[-1].id, examined + len(read)
    return _page(matching, True, after)


def _page(evolutions: list[Summary], has_more: bool, last_id: str | None) -> EvolutionList:
    return EvolutionList(data=[summary(evolution) for evolution in evolutions], has_more=has_more, last_id=last_id)


def _within(value: float | None, least: float | None, most: float | None) -> bool:
    if least is None and most is None:
        return True
    return value is not None and (least is None or value >= least) and (most is None or value <= most)
