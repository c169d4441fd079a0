"""What every mutation promises, whatever the language model writes."""

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mutation import demands
from services.mutation.fidelity import SimulatedFidelity
from services.mutation.guards import normalised
from services.mutation.messages import AcceptedMutant, Mode, MutationSummary, Reason, Rejection, TextSource
from services.mutation.mutator import InstructionMutator
from services.mutation.operators import OPERATORS, chat
from services.mutation.templates import EVERY, TEMPLATES, core_of, pool, wrappings
from shared.errors import Unavailable
from shared.records.credit import Credit, Earned
from shared.records.evolution import Message
from tests.contract.scripted import GOOD, ORIGINAL, POOL, Script, answer, events, mutants, mutator, request
from tests.examples import examples


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("", Reason.EMPTY),
        ('{"instruction": ""}', Reason.EMPTY),
        ("{}", Reason.MALFORMED),
        ('{"instruction": "Name three rivers in Peru and s', Reason.MALFORMED),
        ("Rivers of Peru:\n1. Amazon\n2. Ucayali", Reason.MALFORMED),
        (answer("Three rivers in Peru are the Amazon, the Ucayali and the Marañón."), Reason.MALFORMED),
        (answer("Sure, the Amazon begins in the Andes of Peru, as three rivers do."), Reason.MALFORMED),
        (answer("NAME three rivers — in Peru — and say where each begins!"), Reason.DUPLICATE),
        (answer(OPERATORS["rephrase"].examples[0][1]), Reason.PROMPT_EXAMPLE),
        (answer("Name three rivers."), Reason.TOO_SHORT),
        (answer(GOOD + " Tell me more." * 20), Reason.TOO_LONG),
        (answer("Name rivers in Peru and say where each of them begins."), Reason.MEANING_LOST),
        (answer("Name 4 rivers in Peru and say where each begins."), Reason.MEANING_LOST),
        (answer("Name three rivers in Chile and say where each begins."), Reason.MEANING_LOST),
        (answer("Name three songs that are loved in Peru, please, my friend."), Reason.MEANING_LOST),
    ],
)
async def test_a_bad_rewrite_is_turned_down_and_replaced_by_a_template(output: str, reason: Reason) -> None:
    llm = Script([output])
    found = [event async for event in mutator(llm, ["rephrase"]).mutate(request(count=1))]
    rejection, mutant, summary = found
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.operator) == (reason, "rephrase")
    assert isinstance(mutant, AcceptedMutant)
    assert mutant.source is TextSource.TEMPLATE
    assert ORIGINAL in mutant.text
    assert summary == MutationSummary(100, 10)


async def test_a_rewrite_far_from_the_original_says_how_far() -> None:
    far = "Say three rivers, each Peru begins, name begins Peru three rivers where."
    strict = InstructionMutator(
        Script([answer(far)]), SimulatedFidelity(), threshold=0.99, operators=[OPERATORS["clarify"]], max_tokens=96
    )
    found = [event async for event in strict.mutate(request(count=1))]
    assert isinstance(found[0], Rejection)
    assert found[0].reason is Reason.MEANING_LOST
    assert found[0].similarity is not None
    assert found[0].similarity < 0.99


@pytest.mark.parametrize("output", [answer(GOOD), GOOD, f"Sure! {answer(GOOD)}", f'Instruction: "{GOOD}"'])
async def test_a_good_rewrite_is_accepted_in_any_shape(output: str) -> None:
    found = await events(Script([output]), request(count=1))
    (mutant,) = mutants(found)
    assert (mutant.text, mutant.source) == (GOOD, TextSource.MODEL)
    assert 0.5 <= mutant.similarity <= 1


async def test_equal_rewrites_are_accepted_once() -> None:
    found = await events(Script([answer(GOOD), answer(GOOD.upper()), answer(GOOD.rstrip("."))]), request(count=3))
    assert [mutant.source for mutant in mutants(found)] == [
        TextSource.MODEL,
        TextSource.TEMPLATE,
        TextSource.TEMPLATE,
    ]
    assert [event.reason for event in found if isinstance(event, Rejection)] == [Reason.DUPLICATE] * 2


async def test_rewrites_stream_on_as_they_arrive() -> None:
    llm = Script([answer(GOOD)] * 5)
    stream = mutator(llm).mutate(request())
    first = await anext(stream)
    assert isinstance(first, AcceptedMutant)
    assert not llm.closed
    await stream.aclose()
    assert llm.closed, "leaving a mutation must end the language model's work"


async def test_one_batched_call_with_each_operator_in_turn() -> None:
    llm = Script([""] * 12)
    await events(llm, request(count=12))
    assert len(llm.timeouts) == 1
    tasks = [prompt.messages[0].content for prompt in llm.prompts]
    assert len(set(tasks[:5])) == len(set(tasks[5:10])) == 5
    assert tasks[:5] == tasks[5:10]
    assert len({prompt.seed for prompt in llm.prompts}) == 12


async def test_no_seed_given_none_passed_on() -> None:
    llm = Script([])
    await events(llm, request(seed=None))
    assert {prompt.seed for prompt in llm.prompts} == {None}


async def test_the_seed_decides_operators_and_templates() -> None:
    runs = [await events(Script(["", answer(GOOD)]), request(seed=seed)) for seed in (1, 1, 2, 3)]
    assert runs[0] == runs[1]
    assert len({tuple(mutant.operator for mutant in mutants(run)) for run in runs}) == 3


@pytest.mark.parametrize("names", [[], ["clarify", "rephrase"]])
async def test_what_has_earned_most_is_drawn_first(names: list[str]) -> None:
    poor, good = Earned(0.0, 500.0), Earned(9.0, 50.0)
    untried = Earned(0.0, 1.0)
    earned = {"example": good, "rephrase": good, "example_case": untried, "clarify": untried, "other": poor}
    credit = Credit(earned, 0.1)
    for seed in range(5):
        llm = Script([])
        asked = replace(request(count=1, seed=seed), credit=credit)
        (mutant,) = mutants([event async for event in mutator(llm, names).mutate(asked)])
        assert mutant.operator == "example"
        assert [prompt.messages for prompt in llm.prompts] == [chat(OPERATORS["rephrase"], ORIGINAL)] * bool(names)


async def test_a_wrapped_parent_keeps_its_wrapping_and_the_model_sees_none() -> None:
    wrapped = POOL[3].wrap(ORIGINAL)
    llm = Script([])
    found = mutants(await events(llm, request(count=len(POOL) - 1, parent=wrapped)))
    others = [template for template in POOL if template != POOL[3]]
    beside = {each for each in others if each.kind is not POOL[3].kind}
    beside -= {each for each in others if demands.contradict(each.imposes, POOL[3].imposes)}
    assert 0 < len(beside) < len(others)
    assert {mutant.text for mutant in found} == {
        template.wrap(wrapped if template in beside else ORIGINAL) for template in others
    }
    assert all(prompt.messages[-1].content.endswith(ORIGINAL) for prompt in llm.prompts)


async def test_a_long_instruction_goes_straight_to_templates() -> None:
    original = "Tell me what you think of this passage.\n\n" + "The river rises in the mountains. " * 40
    llm = Script([answer("Tell me what you think of this passage.")])
    found = await events(llm, request(parent=original, original=original))
    assert llm.prompts == []
    assert found[-1] == MutationSummary(0, 0)
    assert all(original in mutant.text for mutant in mutants(found))


async def test_a_rewrite_that_drops_the_passage_is_turned_down() -> None:
    original = "Tell me what you think of this passage.\n\n" + "The river rises in the mountains of Peru. " * 40
    llm = Script([answer("Tell me what you think of this passage.")])
    found = [event async for event in mutator(llm, max_tokens=4096).mutate(request(1, original, original))]
    assert isinstance(found[0], Rejection)
    assert len(llm.prompts) == 1


async def test_without_operators_templates_only() -> None:
    llm = Script([answer(GOOD)])
    found = [event async for event in mutator(llm, operators=[]).mutate(request())]
    assert {mutant.source for mutant in mutants(found)} == {TextSource.TEMPLATE}
    assert llm.timeouts == []


async def test_templates_are_taken_alone_and_then_in_pairs() -> None:
    found = mutants(await events(Script([]), request(count=64)))
    assert {mutant.source for mutant in found} == {TextSource.TEMPLATE}
    alone = {template.wrap(ORIGINAL) for template in POOL}
    assert {mutant.text for mutant in found[: len(POOL)]} == alone
    assert all("+" in mutant.operator for mutant in found[len(POOL) :])


async def test_the_parent_fills_only_when_templates_are_used_up() -> None:
    every = dict(wrappings(ORIGINAL, ORIGINAL, Random(0)))
    (mutant,) = mutants(await events(Script([]), request(count=1, exclude=list(every))))
    assert (mutant.source, mutant.text) == (TextSource.PARENT, ORIGINAL)


async def test_excluded_texts_do_not_come_again() -> None:
    wanted = request(count=4, exclude=[GOOD, *(template.wrap(ORIGINAL).upper() for template in POOL[:-4])])
    found = await events(Script([answer(GOOD)]), wanted)
    assert {mutant.text for mutant in mutants(found)} == {t.wrap(ORIGINAL) for t in POOL[-4:]}


@pytest.mark.parametrize(("mode", "prompts"), [(Mode.TEMPLATES, 0), (Mode.UNSPECIFIED, 2), (Mode.MODEL, 2)])
async def test_who_writes_the_mutants(mode: Mode, prompts: int) -> None:
    llm = Script([answer(GOOD)])
    wanted = replace(request(count=2), mode=mode)
    found = [event async for event in mutator(llm, ["clarify", "rephrase"]).mutate(wanted)]
    assert len(llm.prompts) == prompts
    assert len(mutants(found)) == 2


async def test_the_model_writes_where_it_is_asked_to_though_the_service_names_no_operators() -> None:
    llm = Script([answer(GOOD)])
    service = mutator(llm, [])
    assert [type(event) async for event in service.mutate(request(count=2))] == [
        AcceptedMutant,
        AcceptedMutant,
        MutationSummary,
    ]
    assert llm.prompts == []
    assert [event async for event in service.mutate(replace(request(count=2), mode=Mode.MODEL))]
    assert len(llm.prompts) == 2


async def test_an_absent_model_is_an_error_and_what_came_stays() -> None:
    stream = mutator(Script([answer(GOOD)], fails=Unavailable("away"))).mutate(request(), timeout=3)
    assert isinstance(await anext(stream), AcceptedMutant)
    with pytest.raises(Unavailable):
        await anext(stream)


async def test_the_deadline_reaches_the_model() -> None:
    llm = Script([])
    async for _ in mutator(llm).mutate(request(), timeout=2.5):
        pass
    assert llm.timeouts == [2.5]


pieces = st.lists(st.sampled_from([*GOOD.split(), "river", "4", "{", '"', "\n", "?", "Ünï", "not"]), max_size=14).map(
    " ".join
)
outputs = st.lists(st.one_of(pieces, pieces.map(answer), st.just(answer(GOOD)), st.text(max_size=60)), max_size=64)
parents = st.one_of(
    st.just(ORIGINAL),
    st.just(GOOD),
    st.sampled_from(TEMPLATES).map(lambda template: template.wrap(ORIGINAL)),
    st.text(min_size=1, max_size=400).filter(str.strip),
)


@settings(max_examples=examples(60), deadline=None)
@given(
    written=outputs,
    parent=parents,
    original=parents,
    count=st.integers(1, 64),
    exclude=st.lists(pieces, max_size=3),
    seed=st.none() | st.integers(0, 2**64 - 1),
)
async def test_promises(
    written: list[str], parent: str, original: str, count: int, exclude: list[str], seed: int | None
) -> None:
    found = await events(Script(written), request(count, parent, original, exclude, seed))
    accepted = mutants(found)
    assert len(accepted) == count
    assert [type(event) for event in found].count(MutationSummary) == 1
    assert isinstance(found[-1], MutationSummary)
    assert found[-1].generated_tokens == 10 * (len(found) - 1 - sum(m.source is not TextSource.MODEL for m in accepted))
    own = [normalised(mutant.text) for mutant in accepted if mutant.source is not TextSource.PARENT]
    assert len(set(own)) == len(own)
    assert not set(own) & {normalised(text) for text in (parent, original, *exclude)}
    if pool(demands.read((Message("user", original),))) == TEMPLATES:
        assert all(mutant.source is not TextSource.PARENT for mutant in accepted)
    for mutant in accepted:
        if mutant.source is TextSource.TEMPLATE:
            outermost = mutant.operator.partition("+")[0]
            inners = [template.unwrap(mutant.text) for template in EVERY if template.name == outermost]
            inner = next(text for text in inners if text is not None)
            assert core_of(inner, original) in parent or original in inner
        assert -1.001 <= mutant.similarity <= 1.001
