"""The search over a model that thinks first: who is scored and replaced, what is the answer, and what is kept of it."""

from dataclasses import replace

import pytest

from services.orchestrator.adapters import outcome_json
from services.orchestrator.adapters.packing import NOTHING_WRITTEN, pack
from services.orchestrator.adapters.told import told_before
from services.orchestrator.adapters.unpacking import unpack
from services.orchestrator.core import answers, machine
from services.orchestrator.core.presets import config_for
from services.orchestrator.core.values import BASE, EvolutionState, Generate, Generated, Score, Scored, Stopped
from shared.records.events import Event, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Sampling, SavedState
from shared.records.search import Search
from shared.records.telling import Told

# So many tokens each state thinks, before an answer of four; the last one never answers.
THINKS = {BASE: 3, 0: 0, 1: 2, 2: 6, 3: 99}


class Model:
    """Thinks and answers in words of one token each; rewards are larger for states of larger numbers."""

    def __init__(self, **search: object) -> None:
        settings = Search(cycles=1, mutants=4, period=3, mutation="templates", **search)  # type: ignore[arg-type]
        messages = (Message("user", "Why?"),)
        request = EvolutionRequest(
            "replacement-only", messages, Sampling(max_tokens=12, logprobs=None), settings, seed=1
        )
        self.evolution, events = machine.begin(config_for(request), "Why?", 1)
        self.events: list[Event] = list(events)
        self.scored: list[tuple[int, int, str]] = []
        self.kept: list[tuple[EvolutionState, object]] = []

    def step(self) -> None:
        effect = machine.next_effects(self.evolution)[0]
        outcome = self._generated(effect) if isinstance(effect, Generate) else self._scored(effect)
        before = self.evolution
        self.evolution, events = machine.apply(before, outcome)
        [kept] = outcome_json.dump_outcomes([outcome], before, events)
        assert outcome_json.load_outcome(kept, before, events) == replace(
            outcome, **({"token_ids": (0,) * len(outcome.token_ids)} if isinstance(outcome, Generated) else {})
        )
        self.events += events

    def run(self) -> None:
        while not self.evolution.finished:
            self.step()

    def _generated(self, effect: Generate) -> Generated:
        thinks, given = THINKS[effect.state], len(effect.token_ids)
        # A copied response goes on as its donor's: each token says whether it is thought.
        own = [1 if at < thinks else 2 for at in range(given, given + effect.max_new_tokens)]
        if effect.token_ids and effect.token_ids[-1] == 2:
            own = [2] * len(own)
        ids = (*effect.token_ids, *own)
        said = [at for at, token in enumerate(ids) if token == 2][:4]
        ends = len(said) == 4 and said[-1] < len(ids)
        ids = ids[: said[-1] + 1] if ends else ids
        thought = ids.count(1)
        text = " ".join("so" for token in ids if token == 2)
        new = ids[given:]
        return Generated(
            *(effect.cycle, effect.round, effect.state, new, text, text, "stop" if ends else "length", len(new) + ends),
            reasoning=" ".join(["hm"] * thought),
            reasoning_tokens=thought,
            thinking=bool(ids) and ids[-1] == 1,
        )

    def _scored(self, effect: object) -> Scored:
        assert isinstance(effect, Score)
        self.scored.append((effect.round, effect.state, effect.text))
        return Scored(effect.cycle, effect.round, effect.state, float(effect.state))


def rounds(model: Model) -> list[RoundFinished]:
    return [event for event in model.events if isinstance(event, RoundFinished)]


def test_what_thinks_is_not_scored_and_takes_no_part_in_replacement() -> None:
    model = Model()
    model.run()
    first, second, *_ = rounds(model)
    assert first.texts == ("so so so", "so", "", "")
    assert first.reasoning == ("", "hm hm", "hm hm hm", "hm hm hm")
    assert first.rewards == (0.0, 1.0, None, None)
    assert first.survivors == (1,)
    assert [(item.state, item.donor) for item in first.replacements] == [(0, 1)]
    assert second.rewards[2:] == (None, None)
    # The thought that nothing followed is scored as an empty answer once it has ended, and is no answer before others.
    assert "hm" not in " ".join(text for _, _, text in model.scored)
    last = rounds(model)[-1]
    assert (last.texts[3], last.rewards[3], last.finished) == ("", 3.0, (True,) * 4)
    assert all(3 not in event.survivors for event in rounds(model))
    best, *others = answers.choices(model.evolution, 9)
    assert (best.state, best.text, best.reasoning) == (2, "so so so so", "hm hm hm hm hm hm")
    assert (best.reasoning_tokens, best.completion_tokens, best.finish_reason) == (6, 11, "stop")
    assert (others[-1].state, others[-1].finish_reason, others[-1].valid, others[-1].text) == (3, "length", False, "")
    base = answers.base(model.evolution)
    assert base is not None
    assert (base.text, base.reasoning) == ("so so so so", "hm hm hm")


def test_thoughts_are_compared_where_the_search_says_so() -> None:
    model = Model(replace_in_reasoning=True)
    model.run()
    first = rounds(model)[0]
    assert first.rewards == (0.0, 1.0, 2.0, 3.0)
    assert (first.survivors, {item.donor for item in first.replacements}) == ((3,), {3})
    assert (1, 3, "hm hm hm") in model.scored
    # In the end answers alone are scored.
    assert all("hm" not in text for round_, _, text in model.scored if round_ == rounds(model)[-1].round)


@pytest.mark.parametrize("replaced", [False, True])
def test_states_and_events_survive_being_kept(replaced: bool) -> None:
    model, written, parts, kept = Model(replace_in_reasoning=replaced), NOTHING_WRITTEN, tuple[str, ...](), []
    told, begun = Told(), Told()
    while not model.evolution.finished:
        known = told_before(model.evolution)
        count = len(model.events)
        model.step()
        new = model.events[count:]
        kept += known.shortened(new)
        saved, written = pack(model.evolution, written)
        parts += saved.parts
        read, _ = unpack(SavedState(saved.head, parts))
        for state, again in zip(model.evolution.population, read.population, strict=True):
            assert replace(again.response, token_ids=()) == replace(state.response, token_ids=())
            assert (again.scored_text, again.reward) == (state.scored_text, state.reward)
    head = begun.shortened(model.events[:1])
    assert [told.whole(fields) for fields in (*head, *kept)] == model.events


def test_a_search_that_is_stopped_while_it_thinks_answers_with_the_thought() -> None:
    model = Model()
    effects = [each for each in machine.next_effects(model.evolution) if isinstance(each, Generate)]
    assert {each.state for each in effects} == THINKS.keys()
    for effect in effects:
        ids = (1,) * effect.max_new_tokens
        outcome = Generated(
            *(1, 1, effect.state, ids, "", "", "length", len(ids)), reasoning="hm", reasoning_tokens=3, thinking=True
        )
        if model.evolution.round == 1:
            model.evolution, _ = machine.apply(model.evolution, outcome)
    stopped, _ = machine.apply(model.evolution, Stopped("deadline_ms"))
    [choice] = answers.choices(stopped, 5)
    assert (choice.text, choice.reasoning, choice.finish_reason, choice.reward) == ("", "hm", "length", None)
