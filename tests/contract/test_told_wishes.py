"""What mutants tell of a profile's wishes."""

from dataclasses import replace

from services.mutation.guards import normalised
from services.mutation.messages import Mode, MutationSummary, Reason, Rejection, TextSource
from tests.contract.scripted import GOOD, ORIGINAL, Script, answer, events, mutants, request

WISHES = ("uses plain words", "ends with a question")


def carries(text: str) -> bool:
    return all(wish in text for wish in WISHES)


async def test_every_mutant_tells_the_wishes_and_rewrites_are_not_turned_down_for_it() -> None:
    asked = replace(request(5), wishes=WISHES, crossover=("Amazon.", "Ucayali."), refine="Marañón.")
    found = await events(Script([answer(GOOD), answer("Name 4 rivers in Peru and say where each begins.")]), asked)
    made = mutants(found)
    assert len(made) == 5
    assert all(carries(mutant.text) for mutant in made)
    assert len({normalised(mutant.text) for mutant in made}) == 5
    names = [mutant.operator.split("+") for mutant in made]
    assert all(name[0].startswith("wishes") for name in names)
    assert [name[-1] for name in names].count("crossover") == [name[-1] for name in names].count("refine") == 1
    assert [mutant.source for mutant in made].count(TextSource.MODEL) >= 1
    assert any(mutant.text.startswith(f"{GOOD}\n\n") for mutant in made)
    [turned_down] = [event.reason for event in found if isinstance(event, Rejection)]
    assert turned_down is Reason.MEANING_LOST


async def test_mutants_of_a_mutant_tell_the_wishes_once_and_never_come_again() -> None:
    known, parent = list[str](), ORIGINAL
    for seed in range(8):
        asked = replace(request(4, parent=parent, exclude=known, seed=seed), wishes=WISHES, mode=Mode.TEMPLATES)
        made = mutants(await events(Script([]), asked))
        known += [mutant.text for mutant in made]
        parent = made[seed % 4].text
    assert len(set(known)) == 32
    assert all(carries(text) and text.count(WISHES[0]) == 1 for text in known)
    assert all(text.startswith(ORIGINAL) for text in known)


async def test_without_a_wish_that_may_be_told_mutants_are_as_without_wishes() -> None:
    yes_or_no = "Is the Amazon long? Answer with yes or no only."
    for mode in Mode:
        plain = replace(request(4, yes_or_no, yes_or_no), mode=mode, refine="Yes.")
        outputs = [answer("Is the Amazon a long one? Answer with yes or no only.")]
        *made, ended = await events(Script(outputs), plain)
        *wished, told = await events(Script(outputs), replace(plain, wishes=WISHES))
        assert wished == made
        assert isinstance(ended, MutationSummary)
        assert isinstance(told, MutationSummary)
        assert told == replace(ended, withheld=WISHES)
