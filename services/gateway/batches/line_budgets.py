"""What each line of a batch may spend where the batch has a budget of tokens.

A line's tokens are set aside before it is searched for, so that lines which run together stay within the budget. Within
that, cycles go where they gain most for their tokens: every line has the same price of tokens, at which a search goes
on or ends after each of its cycles, and the price is what the rest of the budget would gain at least if it were shared
out greedily over lines like those that have ended. So the greedy split needs no second pass over the lines, and no
search is begun twice. Until a few lines have ended, nothing is known, and each searches within its share.
"""

from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from services.gateway.api.validation import check_history
from services.gateway.config.settings import GatewaySettings
from services.gateway.evolutions.service import EvolutionService
from shared.compute.sharing import Step, greedy_split
from shared.errors import InvalidRequest, NotFound
from shared.methods import METHODS
from shared.records.events import CycleFinished, Event
from shared.records.evolution import EvolutionRequest, Record
from shared.records.search import EFFORT_SETTINGS
from shared.store.batches import Batch, Batches

_LEAST_KNOWN, _MOST_KNOWN = 4, 64
# With fewer lines to come than that, none may take more than its share: nobody would be left to make up for it.
_FEW = 16
_HIGHEST_PRICE = 1000.0


@dataclass(frozen=True)
class EndedLine:
    """What a line that has ended tells of those to come: the tokens of its base response and first cycle, and what each
    further cycle gains and costs, whether it was searched or not.
    """

    first: float
    further: tuple[Step, ...]


def ended_line(events: Iterable[Event], generated: int, cycles: int) -> EndedLine:
    """What a search of `generated` tokens and at most so many cycles tells. It has an outlook after each of them but
    the last; gains after those fall as those of a larger and larger sample do: about as 1, 1/2, 1/3.
    """
    outlooks = [event.outlook for event in events if isinstance(event, CycleFinished)]
    seen = [Step(outlook.gain, max(1.0, outlook.tokens)) for outlook in outlooks if outlook]
    if not seen:
        return EndedLine(generated, ())
    last, known = seen[-1], len(seen)
    unseen = [Step(last.gain * known / number, last.cost) for number in range(known + 1, cycles)]
    return EndedLine(max(0.0, generated - (len(outlooks) - 1) * last.cost), (*seen, *unseen))


def price_of(lines: Collection[EndedLine], share: float) -> float:
    """The gain per token that is the price, where lines like these have so many tokens each."""
    beyond = len(lines) * share - sum(line.first for line in lines)
    return greedy_split([line.further for line in lines], beyond).price


class LineBudgets:
    """The budgets of the batches that a gateway drives. What their lines have told is forgotten with the process."""

    def __init__(self, batches: Batches, evolutions: EvolutionService, settings: GatewaySettings) -> None:
        self._batches = batches
        self._evolutions = evolutions
        self._settings = settings
        self._ended: dict[str, deque[EndedLine]] = {}

    async def bounded(
        self, batch: Batch, number: int, holder: str, request: EvolutionRequest, named: Collection[str]
    ) -> EvolutionRequest:
        """The search of a line within the budget of its batch; `named` are the settings that the line itself names,
        which stay as they are, but that its budget is no more than there is. `holder` drives the batch.

        Raises:
            InvalidRequest: nothing is left, or so many cycles are more than this deployment records.
        """
        if batch.max_generated_tokens is None:
            return request
        now = await self._batches.load(batch.id, batch.tenant)
        running = await self._batches.begin(batch.id, holder, 0, 0)
        others = [await self._set_aside(batch, other) for other in running if other != number]
        lines = now.total - now.next + 1 + others.count(None)
        left = batch.max_generated_tokens - now.generated - sum(filter(None, others))
        share = left // lines
        if share < 1:
            raise InvalidRequest(
                f"the batch has {batch.max_generated_tokens} tokens for its lines, and they are used up",
                field="darwin.max_generated_tokens",
            )
        search, known = request.search, self._ended.get(batch.id, ())
        of_effort = EFFORT_SETTINGS.get(request.reasoning_effort, {}) if request.reasoning_effort else {}
        if METHODS[request.method].searches and not {"cycles", "preset"} & {*named, *of_effort}:
            search = replace(search, cycles=batch.cycles)
            check_history(request.method, search, request.sampling.max_tokens, self._settings.max_history_tokens)
        most = share
        if len(known) >= _LEAST_KNOWN:
            least = sum(line.first for line in known) / len(known)
            if lines > _FEW:
                most = max(share, min(2 * share, int(left - (lines - 1) * least)))
            price = min(_HIGHEST_PRICE, 1000 * price_of(known, share))
        else:
            price = 0.0
        if "token_price" not in named:
            search = replace(search, token_price=price)
        bound = min(most, search.max_generated_tokens or most)
        return replace(request, search=replace(search, max_generated_tokens=bound), profile_priced=False)

    async def settled(self, batch: Batch, record: Record | None) -> int:
        """How many tokens the search of a line that has ended counts for, which is all that was set aside for it where
        it has no answer that would tell.
        """
        if batch.max_generated_tokens is None or record is None:
            return 0
        if record.result is None:
            return record.request.search.max_generated_tokens or 0
        generated = record.result.tokens.generated
        try:
            _, events, _ = await self._evolutions.load_history(record.id, batch.tenant)
        except NotFound:
            return generated
        ended = self._ended.setdefault(batch.id, deque(maxlen=_MOST_KNOWN))
        ended.append(ended_line(events, generated, record.request.search.cycles))
        return generated

    def forget(self, batch: Batch) -> None:
        """Forgets what the lines of a batch have told."""
        self._ended.pop(batch.id, None)

    async def _set_aside(self, batch: Batch, number: int) -> int | None:
        """The tokens that are set aside for a line that was begun; None where its search was not."""
        try:
            record = await self._evolutions.load(batch.evolution_id(number), batch.tenant)
        except NotFound:
            return None
        return record.request.search.max_generated_tokens or 0
