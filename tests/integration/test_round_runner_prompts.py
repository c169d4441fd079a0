"""The first round reads the text of a prompt that was given as token ids, and the record keeps it."""

from dataclasses import replace

from shared.errors import InvalidRequest
from shared.records.evolution import Message, RawPrompt
from shared.store.evolutions import Store
from tests.integration.stages import REQUEST, Stages, accept, advance, finish, round_runner

BY_IDS = replace(REQUEST, messages=(Message("user", "5 6"),), raw_prompt=RawPrompt((5, 6)))


async def test_the_text_of_token_ids_is_the_instruction(store: Store) -> None:
    stages = Stages()
    due = await accept(store, BY_IDS)
    following = await advance(store, round_runner(store, stages), due)
    assert (await store.load(due.evolution_id)).request.messages == (Message("user", "token5 token6"),)
    await finish(store, round_runner(store, stages), following)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.request.raw_prompt == RawPrompt((5, 6))
    assert {effect.instruction for effect in stages.generated} == {"token5 token6"}


async def test_ids_beyond_the_vocabulary_end_the_evolution(store: Store) -> None:
    class Small(Stages):
        async def text_of(self, token_ids: object, timeout_s: float) -> str:
            raise InvalidRequest("token id 6 is not in the model's vocabulary", field="prompt")

    due = await accept(store, BY_IDS)
    await finish(store, round_runner(store, Small()), due)
    record = await store.load(due.evolution_id)
    assert record.status == "failed"
    assert record.error is not None
    assert (record.error.code, record.error.field) == ("InvalidRequest", "prompt")
