"""The first round adds to the record what only the model knows: the text of token ids, and what its template reads."""

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


async def test_arguments_that_the_template_does_not_read_are_named(store: Store) -> None:
    given = {"enable_thinking": False, "mood": "merry"}
    due = await accept(store, replace(REQUEST, template_arguments=given, warnings=("user is odd",)))
    await finish(store, round_runner(store, Stages()), due)
    record = await store.load(due.evolution_id)
    assert record.status == "succeeded"
    assert record.request.template_arguments == given
    assert record.request.warnings == ("user is odd", "chat_template_kwargs.mood is taken without effect")


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
