"""Searches that keep what their mutants earn, over a real Redis with the other stages in memory."""

from dataclasses import replace

from services.orchestrator.credit.keeper import CreditKeeper
from services.orchestrator.round_runner import RoundRunner
from services.orchestrator.settings import OrchestratorSettings
from shared.records.events import CycleFinished, MutantAccepted
from shared.store.credit import CreditLog
from shared.store.evolutions import Store
from tests.integration.layouts import Layout
from tests.integration.stages import REQUEST, Due, Stages, finish, record_of


class Encoder:
    async def vector(self, text: str, timeout_s: float) -> bytes:
        return bytes(16)


async def test_each_cycle_is_kept_as_it_is_saved_and_later_searches_draw_from_it(store: Store, layout: Layout) -> None:
    log, settings = CreditLog(layout.url, shards=layout.shards), OrchestratorSettings()
    keeper = CreditKeeper(log, store, Encoder(), settings)
    request = replace(REQUEST, tenant="earning", search=replace(REQUEST.search, cycles=2, credit=True))
    assert await keeper.credit_for(request) is None
    ids = []
    for asked in (request, replace(request, search=replace(request.search, credit=False))):
        worker = RoundRunner(store, Stages(), Stages(), Stages(), settings, listeners=[keeper.on_saved])
        record = await store.create(record_of(asked))
        await finish(store, worker, Due(record.id, 0))
        ids.append(record.id)
    kept = await log.load("earning", await log.ids("earning"))
    assert [each.id for each in kept] == [f"{ids[0]}:1", f"{ids[0]}:2"]
    events = [stored.event for stored in await store.events(ids[0])]
    for observation, cycle in zip(kept, (1, 2), strict=True):
        accepted = [each for each in events if isinstance(each, MutantAccepted) and each.cycle == cycle]
        assert {gain.operator for gain in observation.gains} <= {each.operator for each in accepted}
        finished = next(each for each in events if isinstance(each, CycleFinished) and each.cycle == cycle)
        own = [each.state for each in sorted(accepted, key=lambda each: each.state) if each.source != "parent"]
        spread = {finished.rewards[state] - finished.rewards[own[0]] for state in own}
        assert {round(gain.reward - observation.gains[0].reward, 9) for gain in observation.gains} == {
            round(each, 9) for each in spread
        }
    credit = await keeper.credit_for(request)
    assert credit is not None
    assert set(credit.earned) == {gain.operator for each in kept for gain in each.gains}
    # Another worker knows nothing yet, and keeps nothing anew.
    record, events, attempts = await store.history(ids[0])
    again = CreditKeeper(log, store, Encoder(), settings)
    await again.on_saved(record, attempts[-1], events)
    assert await again.credit_for(request) == credit
    assert await log.reset("earning") == 2
    assert await keeper.credit_for(request) is None
    await log.close()
