"""Random evolutions: settings, and a performer that answers effects from a seed."""

import json
import random
import re
from dataclasses import dataclass, field, replace
from typing import Literal

from hypothesis import strategies as st

from services.orchestrator.adapters import outcome_json
from services.orchestrator.core import machine
from services.orchestrator.core.responses import Response
from services.orchestrator.core.values import (
    Config,
    Effect,
    EvolutionState,
    Generate,
    Generated,
    Mutate,
    Mutated,
    MutationEnded,
    Outcome,
    Score,
    Scored,
    ScoredTogether,
    ScoreTogether,
)
from shared.records.events import Comparison, Event, RoundFinished

INSTRUCTION = "Explain tides."


@st.composite
def configs(
    draw: st.DrawFn, *, replacing: bool | None = None, budget: bool | None = None, settling: bool = False
) -> Config:
    mutants = draw(st.integers(2, 6))
    replaces = draw(st.booleans()) if replacing is None else replacing
    max_tokens = draw(st.integers(1, 24))
    bounded = draw(st.booleans()) if budget is None else budget
    return Config(
        cycles=draw(st.integers(0, 3)),
        mutants=mutants,
        period=draw(st.integers(1, 8)) if replaces else max_tokens,
        survivors=draw(st.integers(1, mutants - 1)),
        lookahead=draw(st.integers(0, 3)) if replaces else 0,
        mutate=draw(st.booleans()),
        replace=replaces,
        max_tokens=max_tokens,
        max_generated_tokens=draw(st.integers(1, 200)) if bounded else None,
        max_reward_calls=draw(st.integers(1, 60)) if bounded else None,
        stream_settled=settling,
        token_price=draw(st.sampled_from((None, 0.0, 20.0))),
    )


@st.composite
def any_configs(draw: st.DrawFn) -> Config:
    """Those of `configs`, with any selection rule, a drawn answer and a population that may shrink."""
    config, shrink = draw(configs()), draw(st.sampled_from([1.0, 0.5, 0.34]))
    rule = draw(st.sampled_from(["truncation", "pessimism"]))
    may_differ = rule == "truncation" and config.survivors > 1
    return replace(
        config,
        diversity=draw(st.sampled_from([0.0, 1.0])) if may_differ else 0.0,
        selection=rule,
        beta=draw(st.sampled_from([0.0, 0.2, 5.0])),
        final_beta=draw(st.sampled_from([0.0, 0.3])),
        shrink=shrink,
        period=config.period if config.replace or shrink == 1 else draw(st.integers(1, 8)),
    )


@dataclass
class World:
    """Answers effects: the same seed gives the same answers, whatever the order they are asked in.

    Mutants fill the context with `full_probability`; the conversation itself never does. Rewards abstain with
    `abstain_probability`, responses break a requirement with `break_probability`, and come with embeddings if it
    `embeds`. Mutants do not tell the wishes that are `withheld`. What is scored together has rewards that rewards of
    other populations cannot be compared with.
    """

    seed: int
    end_probability: float = 0.15
    full_probability: float = 0.0
    abstain_probability: float = 0.0
    break_probability: float = 0.0
    embeds: bool = False
    withheld: tuple[str, ...] = ()
    events: list[Event] = field(default_factory=list)

    def perform(self, effect: Effect) -> list[Outcome]:
        # What bounds an effect does not decide what it would give.
        unbounded = re.sub(r", (max_tokens|to_be_continued)=\w+", "", repr(effect))
        rng = random.Random(f"{self.seed} {unbounded}")
        match effect:
            case Mutate():
                few = rng.randint(0, effect.count)
                mutants = [Mutated(effect.cycle, f"mutant {effect.cycle}.{i}", "clarify") for i in range(few)]
                return [*mutants, MutationEnded(effect.cycle, self._rewritten(effect, rng), self.withheld)]
            case Generate():
                return [self._generated(effect, rng)]
            case Score():
                reward = rng.choice([-1.5, 0.0, 0.25, 0.25, 2.0])
                abstained = "out_of_distribution" if rng.random() < self.abstain_probability else ""
                embedding = rng.randbytes(2).hex() if self.embeds else ""
                where = (effect.cycle, effect.round, effect.state)
                breaks = "rules.brief" if rng.random() < self.break_probability else ""
                return [Scored(*where, reward, abstained=abstained, embedding=embedding, breaks=breaks)]
            case ScoreTogether():
                shift = rng.uniform(-100, 100)
                alone = [outcome for each in effect.scores for outcome in self.perform(each)]
                scores = [replace(each, reward=each.reward + shift) for each in alone if isinstance(each, Scored)]
                compared = (Comparison("pairwise", 0, len(scores) - 1, 0.75),)
                scores[0] = replace(scores[0], computed_tokens=len(scores), comparisons=compared)
                return [ScoredTogether(effect.cycle, effect.round, tuple(scores))]
        raise AssertionError(effect)

    def _rewritten(self, effect: Mutate, rng: random.Random) -> int:
        sampled = rng.randint(0, 30)
        return sampled if effect.max_tokens is None else min(sampled, effect.max_tokens)

    def _generated(self, effect: Generate, rng: random.Random) -> Generated:
        where = (effect.cycle, effect.round, effect.state)
        mutant = random.Random(f"{self.seed} {effect.instruction}")
        if effect.instruction != INSTRUCTION and mutant.random() < self.full_probability:
            text = " ".join(map(str, effect.token_ids))
            return Generated(*where, (), text, text, "context", 0)
        sampled, finish = 0, "length"
        kept: list[int] = []
        reason: Literal["length", "stop"] = "length"
        while sampled < effect.max_new_tokens + effect.lookahead and finish == "length":
            sampled += 1
            if rng.random() < self.end_probability:
                finish = "ended"
                reason = "stop" if sampled <= effect.max_new_tokens else "length"
            elif sampled <= effect.max_new_tokens:
                kept.append(rng.randint(10, 99))
        ids = effect.token_ids + tuple(kept)
        text = " ".join(map(str, ids))
        return Generated(*where, tuple(kept), text, text, reason, sampled, prompt_tokens=7)

    def run(self, config: Config, order: random.Random | None = None) -> list[EvolutionState]:
        """Every evolution value from begin to end; `order` shuffles which open effect is performed next."""
        evolution, events = machine.begin(config, INSTRUCTION, self.seed)
        self.events.extend(events)
        seen = [evolution]
        while not evolution.finished:
            effects = list(machine.next_effects(evolution))
            for outcome in self.perform(order.choice(effects) if order else effects[0]):
                evolution, events = machine.apply(evolution, outcome)
                self.events.extend(events)
                seen.append(evolution)
        return seen


def survived(outcome: Outcome) -> Outcome:
    """The outcome as it is read from its JSON, which keeps the number of token ids, with the ids that it had."""
    read = outcome_json.load_outcome(json.loads(json.dumps(outcome_json.dump_outcome(outcome))))
    if isinstance(outcome, Generated):
        assert isinstance(read, Generated)
        assert len(read.token_ids) == len(outcome.token_ids)
        return replace(read, token_ids=outcome.token_ids)
    return read


def copied_finals(world: World, tokens: int) -> list[Response]:
    """The final responses, of so many tokens, of a search that replaces, which hold pieces of other states."""
    config = Config(cycles=1, mutants=6, period=3, survivors=1, mutate=False, replace=True, max_tokens=tokens)
    last = world.run(config)[-1]
    assert any(event.replacements for event in world.events if isinstance(event, RoundFinished))
    return [final.response for final in last.finals if len({piece.state for piece in final.response.pieces}) > 1]
