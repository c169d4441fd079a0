"""No rewrite is never an error: whatever refuses, mutants come, and none contradicts what the conversation demands."""

import pytest

from services.mutation.fidelity import SimulatedFidelity
from services.mutation.messages import (
    AcceptedMutant,
    MutationRequest,
    MutationSummary,
    Reason,
    Rejection,
    TextSource,
)
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import OPERATORS
from shared.errors import Cancelled, DarwinError, DeadlineExceeded, Overloaded, Unavailable, Unsupported, leaves
from shared.records.evolution import Message
from shared.records.limits import MAX_CONVERSATION_CHARACTERS
from tests.contract.scripted import GOOD, Script, answer, events, mutants, mutator, request

# The same call may well succeed later, or nobody waits for it any more. After any other a repetition would fail too.
RAISED = {Unavailable, Overloaded, DeadlineExceeded, Cancelled}


@pytest.mark.parametrize("written", [0, 2])
@pytest.mark.parametrize("error", leaves())
async def test_a_model_that_refuses_gives_no_rewrites_and_templates_step_in(
    error: type[DarwinError], written: int, caplog: pytest.LogCaptureFixture
) -> None:
    service = mutator(Script([answer(GOOD), ""][:written], fails=error("the template refuses a system role")))
    if error in RAISED:
        with pytest.raises(error):
            [event async for event in service.mutate(request())]
        return
    for _ in range(2):
        found = [event async for event in service.mutate(request())]
        sources = [mutant.source for mutant in mutants(found)]
        assert sources == [TextSource.MODEL] * (written // 2) + [TextSource.TEMPLATE] * (5 - written // 2)
        assert found[-1] == MutationSummary(100 * written, 10 * written, unwritten=5 - written)
    assert (
        [record.message for record in caplog.records].count(
            "the language model gives no rewrites, templates step in (said once): "
            f"{error.__name__}: the template refuses a system role"
        )
        == len(caplog.records)
        == 1
    )


async def test_where_the_model_refuses_and_no_template_is_allowed_the_parent_goes_on() -> None:
    original = "Translate into French: the cat sleeps on the chair."
    llm = Script([], fails=Unsupported("no"))
    (mutant, summary) = await events(llm, request(count=1, parent=original, original=original))
    assert isinstance(mutant, AcceptedMutant)
    assert (mutant.text, mutant.source) == (original, TextSource.PARENT)
    assert isinstance(summary, MutationSummary)


async def test_the_longest_conversation_goes_through_every_cycle() -> None:
    """Mutants are longer than the turn that they are made of, and are parents and excluded later on."""
    original = "How do I learn to swim? " + "word " * ((MAX_CONVERSATION_CHARACTERS - 24) // 5)
    parent = mutants(await events(Script([]), request(1, original, original)))[0].text
    again = mutants(await events(Script([]), request(1, parent, original, [parent + "x" * i for i in range(5)])))
    assert len(again[0].text) > len(parent) > len(original)


async def test_a_rewrite_without_room_is_one_that_is_empty() -> None:
    found = await events(Script([""] * 5), request())
    assert [event.reason for event in found if isinstance(event, Rejection)] == [Reason.EMPTY] * 5
    assert {mutant.source for mutant in mutants(found)} == {TextSource.TEMPLATE}


@pytest.mark.parametrize(
    ("original", "rewrite"),
    [
        ("What is a river? Answer in one sentence.", "What is a river? Describe it in detail in one sentence."),
        ("Was ist ein Fluss? Antworte kurz.", "What is a river? Answer briefly."),
    ],
)
async def test_a_rewrite_that_loses_or_contradicts_a_demand_is_turned_down(original: str, rewrite: str) -> None:
    service = InstructionMutator(
        Script([answer(rewrite)]), SimulatedFidelity(), threshold=-1, operators=[OPERATORS["rephrase"]], max_tokens=96
    )
    found = [event async for event in service.mutate(request(1, original, original))]
    assert isinstance(found[0], Rejection)
    assert found[0].reason is Reason.MEANING_LOST


async def test_operators_that_contradict_a_demand_are_not_applied() -> None:
    original = "What is a river? Answer in one sentence."
    llm = Script([])
    await events(llm, request(10, original, original))
    tasks = {prompt.messages[0].content for prompt in llm.prompts}
    assert len(tasks) == 3
    assert not any(OPERATORS[name].task in task for name in ("add_detail", "plan_first") for task in tasks)


async def test_a_text_to_work_on_is_not_rewritten() -> None:
    messages = (Message("system", "You translate into German."), Message("user", "Where is the pharmacy?"))
    llm = Script([answer("Where can I find the pharmacy?")])
    found = await events(llm, MutationRequest(messages, "Where is the pharmacy?", 2))
    assert llm.prompts == []
    assert {mutant.source for mutant in mutants(found)} == {TextSource.PARENT}
