"""What the mutation service promises of the mutants that quote responses, whatever the language model writes."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from services.mutation import critique
from services.mutation.messages import AcceptedMutant, Mode, MutationRequest, MutationSummary, TextSource
from services.mutation.operators import JSON_SCHEMA
from services.mutation.recombination import CROSSOVER, REFINE, operator_of
from services.mutation.recombination_lines import FRAMES
from services.mutation.templates import core_of
from shared.errors import Unavailable, Unsupported
from shared.records.evolution import Message
from tests.contract.scripted import GOOD, ORIGINAL, Script, answer, mutants, mutator, request

RESPONSES = ("The Amazon begins in the Andes.", "Amazon, Ucayali and Marañón.", "There are many.")
SAID = "It names one river only. Say where each of them begins."


def quoting(count: int = 5, **fields: object) -> MutationRequest:
    return replace(request(count), **{"crossover": RESPONSES, "refine": RESPONSES[0], **fields})  # type: ignore[arg-type]


async def made(llm: Script, wanted: MutationRequest, names: Sequence[str] = ()) -> list[AcceptedMutant]:
    return mutants([event async for event in mutator(llm, names).mutate(wanted)])


def by_operator(found: Sequence[AcceptedMutant]) -> dict[str, AcceptedMutant]:
    return {mutant.operator: mutant for mutant in found}


async def test_one_crossover_one_refine_and_templates() -> None:
    llm = Script([SAID])
    found = [event async for event in mutator(llm, []).mutate(quoting())]
    given = mutants(found)
    assert len(given) == len({mutant.text for mutant in given}) == 5
    assert [mutant.source for mutant in given] == [TextSource.TEMPLATE] * 4 + [TextSource.MODEL]
    assert (given[0].operator, given[-1].operator) == (CROSSOVER, REFINE)
    assert all(f"> {response}" in given[0].text for response in RESPONSES)
    assert f"> {SAID}\n\n{FRAMES['en'].improve}" in given[-1].text
    assert f"> {RESPONSES[0]}" in given[-1].text
    assert all(mutant.text.startswith(f"{ORIGINAL}\n\n") and 0 < mutant.similarity < 1 for mutant in given)
    # The critique's tokens are told with its mutant, and in the summary.
    assert [mutant.generated_tokens for mutant in given] == [0, 0, 0, 0, 10]
    assert found[-1] == MutationSummary(100, 10)
    (prompt,) = llm.prompts
    assert prompt == replace(prompt, messages=critique.chat(request().messages, RESPONSES[0]), max_new_tokens=96)
    assert llm.schemas == [""]


async def test_the_same_seed_makes_the_same() -> None:
    runs = [await made(Script([SAID]), quoting()) for _ in range(2)]
    assert runs[0] == runs[1]


async def test_beside_rewrites() -> None:
    llm = Script([answer(GOOD)])
    found = by_operator(await made(llm, quoting(), ["rephrase"]))
    assert found["rephrase"].text == GOOD
    assert llm.schemas == [JSON_SCHEMA, ""]
    assert len(llm.prompts) == 4
    # A rewrite in JSON is no critique that breaks anything.
    assert len(found) == 5
    assert {CROSSOVER, REFINE} < found.keys()


@pytest.mark.parametrize("output", ["", "...", RESPONSES[0], RESPONSES[0][:20]])
async def test_without_a_critique_the_response_is_to_be_reviewed(output: str) -> None:
    refine = by_operator(await made(Script([output]), quoting()))[REFINE]
    assert FRAMES["en"].recheck in refine.text
    assert (refine.source, refine.generated_tokens) == (TextSource.TEMPLATE, 10)


@pytest.mark.parametrize(
    "fields", [{"mode": Mode.TEMPLATES}, {"max_generated_tokens": critique.MAX_TOKENS - 1}, {"max_generated_tokens": 0}]
)
async def test_no_tokens_for_a_critique(fields: dict[str, object]) -> None:
    llm = Script([SAID])
    found = [event async for event in mutator(llm, []).mutate(quoting(**fields))]
    assert llm.prompts == []
    assert found[-1] == MutationSummary(0, 0)
    assert FRAMES["en"].recheck in by_operator(mutants(found))[REFINE].text


async def test_a_critique_stays_within_the_tokens_that_rewrites_share() -> None:
    llm = Script([])
    await made(llm, quoting(max_generated_tokens=200), ["rephrase"])
    assert sum(prompt.max_new_tokens for prompt in llm.prompts) <= 200
    assert [prompt.max_new_tokens for prompt in llm.prompts][-1] == critique.MAX_TOKENS


async def test_a_model_that_refuses_gives_no_critique_and_one_that_is_away_is_asked_again() -> None:
    refusing = Script([], Unsupported("no system role"))
    found = [event async for event in mutator(refusing, []).mutate(quoting())]
    assert FRAMES["en"].recheck in by_operator(mutants(found))[REFINE].text
    assert found[-1] == MutationSummary(0, 0, unwritten=1)
    stream = mutator(Script([], Unavailable("away")), []).mutate(quoting())
    texts = tuple(mutant.text for mutant in mutants([await anext(stream) for _ in range(4)]))
    with pytest.raises(Unavailable):
        await anext(stream)
    # What was given stays; the next call lacks the refine alone.
    (last,) = await made(Script([SAID]), quoting(1, exclude=texts))
    assert (len(texts), last.operator) == (4, REFINE)


async def test_what_an_earlier_call_gave_does_not_come_again() -> None:
    first = await made(Script([SAID]), quoting())
    for missing in (0, 4):
        kept = [mutant.text for place, mutant in enumerate(first) if place != missing]
        (found,) = await made(
            Script(["Another critique: which of them is the longest?"]), quoting(1, exclude=tuple(kept))
        )
        assert found.operator == first[missing].operator
    ordinary = await made(Script([SAID]), quoting(2, exclude=(first[0].text, first[-1].text)))
    assert not {CROSSOVER, REFINE} & {mutant.operator for mutant in ordinary}


@pytest.mark.parametrize("operator", [CROSSOVER, REFINE])
async def test_a_parent_that_quotes_responses_is_not_built_upon(operator: str) -> None:
    parent = by_operator(await made(Script([]), quoting(mode=Mode.TEMPLATES)))[operator].text
    later = ("Later: the Amazon.", "Later: the Ucayali.")
    llm = Script([answer(GOOD)])
    found = await made(llm, quoting(8, parent=parent, crossover=later, refine=later[0]), ["rephrase"])
    assert len(found) == 8
    assert llm.prompts[0].messages[-1].content.endswith(ORIGINAL)
    for mutant in found:
        assert RESPONSES[0] not in mutant.text
        assert core_of(mutant.text, ORIGINAL) in (ORIGINAL, GOOD)
        assert operator_of(mutant.text, ORIGINAL) == (
            mutant.operator if mutant.operator in (CROSSOVER, REFINE) else None
        )


async def test_one_that_equals_its_parent_is_made_no_second_time() -> None:
    given = by_operator(await made(Script([]), quoting(mode=Mode.TEMPLATES)))
    for operator in (CROSSOVER, REFINE):
        for mode, output in ((Mode.TEMPLATES, SAID), (Mode.UNSPECIFIED, "")):
            found = await made(Script([output]), quoting(parent=given[operator].text, mode=mode))
            assert len({mutant.text for mutant in found} - {given[operator].text}) == 5


async def test_a_text_to_work_on_is_quoted_with_responses_and_keeps_its_parent_otherwise() -> None:
    original = "Translate into French: The river rises in the mountains."
    wanted = replace(quoting(4), messages=(Message("user", original),), parent=original)
    found = await made(Script([]), wanted)
    assert sorted(mutant.operator for mutant in found) == [CROSSOVER, "parent", "parent", REFINE]
    # Where such a mutant is the parent, those that keep it are none of this cycle's.
    parent = found[0].text
    again = replace(wanted, parent=parent, exclude=(parent, parent), count=2, crossover=("Le fleuve.", "Une rivière."))
    assert sorted(mutant.operator for mutant in await made(Script([]), again)) == [CROSSOVER, REFINE]


@pytest.mark.parametrize("responses", [(), ("One.",), ("One.", "One.")])
async def test_without_two_responses_there_are_ordinary_mutants(responses: tuple[str, ...]) -> None:
    found = await made(Script([]), quoting(crossover=responses, refine=""))
    assert len(found) == 5
    assert not {CROSSOVER, REFINE} & {mutant.operator for mutant in found}
