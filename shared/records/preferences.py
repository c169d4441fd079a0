"""Makes preference pairs from recorded evolutions, in the conversational format of TRL.

https://huggingface.co/docs/trl/dataset_formats#preference; the scores are named as in trl-lib/ultrafeedback_binarized.
Pure: nothing is read or written here.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from shared.records.evolution import Message
from shared.records.history import CycleEnd, RecordedBase, RecordedEvolution, RecordedRound
from shared.records.turns import prefill_of, without_prefill

PairKind = Literal["best-worst", "best-base", "kept-replaced"]
Skipped = Literal["equal texts", "margin", "seen before"]

T = TypeVar("T")


@dataclass(frozen=True)
class PreferencePair:
    """Two responses to `messages`, the original conversation, and their rewards. Where the conversation ends with the
    beginning of the answer, both continue it.

    `cycle` and `round` are those of the chosen text, both 0 for the base response. The rewards are those of `profile`,
    name@version, which is `profile_owner`'s own, or, where that is empty, nobody's.
    """

    kind: PairKind
    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    score_chosen: float
    score_rejected: float
    evolution: str
    cycle: int
    round: int
    profile: str = ""
    profile_owner: str = ""

    @property
    def margin(self) -> float:
        return self.score_chosen - self.score_rejected

    def row(self) -> dict[str, Any]:
        """The pair as TRL reads it, with its origin. Every kind has the same columns."""
        asked, begun = without_prefill(self.messages), prefill_of(self.messages)
        return {
            "prompt": [{"role": message.role, "content": message.content} for message in asked],
            "chosen": [{"role": "assistant", "content": begun + self.chosen}],
            "rejected": [{"role": "assistant", "content": begun + self.rejected}],
            "score_chosen": self.score_chosen,
            "score_rejected": self.score_rejected,
            "kind": self.kind,
            "evolution": self.evolution,
            "cycle": self.cycle,
            "round": self.round,
            "profile": self.profile,
            "profile_owner": self.profile_owner,
        }


class PairSelection:
    """Selects pairs worth learning from: the chosen text has the higher reward, by at least `min_margin`, and no pair
    comes twice. `kept` are those, `skipped` counts the others by kind and reason.
    """

    def __init__(self, min_margin: float = 0.0) -> None:
        self._min_margin = min_margin
        self._seen: set[tuple[object, ...]] = set()
        self.kept: list[PreferencePair] = []
        self.skipped: Counter[tuple[PairKind, Skipped]] = Counter()

    def offer(self, pair: PreferencePair) -> None:
        """Keeps the pair, or counts why it is skipped."""
        key = (pair.messages, pair.chosen, pair.rejected)
        if pair.chosen == pair.rejected:
            self.skipped[pair.kind, "equal texts"] += 1
        elif not (pair.margin > 0 and pair.margin >= self._min_margin):
            self.skipped[pair.kind, "margin"] += 1
        elif key in self._seen:
            self.skipped[pair.kind, "seen before"] += 1
        else:
            self._seen.add(key)
            self.kept.append(pair)


@dataclass(frozen=True)
class FinalResponse:
    """A complete response and its reward. `cycle` and `round` say when it was completed; the base response's are 0."""

    text: str
    reward: float
    cycle: int
    round: int


def whole_pairs(evolution: RecordedEvolution) -> Iterator[PreferencePair]:
    """Pairs the best final response with the worst, and with the base response."""
    found = list(finals(evolution))
    if len(found) < 2:
        return
    best, worst = max(found, key=lambda final: final.reward), min(found, key=lambda final: final.reward)
    yield _against(evolution, "best-worst", best, worst)
    if found[0].cycle == 0:
        yield _against(evolution, "best-base", best, found[0])


def step_pairs(evolution: RecordedEvolution) -> Iterator[PreferencePair]:
    """Pairs, for each replacement, the donor's prefix with the prefix that it replaced."""
    for event in evolution.events:
        if not isinstance(event, RecordedRound):
            continue
        scored, untrusted = dict(_scored(range(len(event.texts)), event.rewards)), _untrusted(event)
        for item in event.replacements:
            if untrusted.isdisjoint((item.state, item.donor)) and item.state in scored and item.donor in scored:
                yield PreferencePair(
                    kind="kept-replaced",
                    messages=evolution.messages,
                    chosen=event.texts[item.donor],
                    rejected=event.texts[item.state],
                    score_chosen=scored[item.donor],
                    score_rejected=scored[item.state],
                    evolution=evolution.id,
                    cycle=event.cycle,
                    round=event.round,
                    profile=evolution.settings.profile,
                    profile_owner=evolution.settings.profile_owner or "",
                )


def _against(evolution: RecordedEvolution, kind: PairKind, best: FinalResponse, other: FinalResponse) -> PreferencePair:
    return PreferencePair(
        kind,
        evolution.messages,
        best.text,
        other.text,
        best.reward,
        other.reward,
        evolution.id,
        best.cycle,
        best.round,
        evolution.settings.profile,
        evolution.settings.profile_owner or "",
    )


def finals(evolution: RecordedEvolution) -> Iterator[FinalResponse]:
    """Complete responses that break no requirement and have a reward, which does not abstain: the base response first,
    then the others by cycle and state.

    The responses of a cycle are those of its last round, after that round's replacements. Where the search ended before
    the cycle did, only responses that are finished and not empty count; what was scored in a round that a limit cut
    short stands in no event, and is left out. That rule is the core's,
    `services.orchestrator.core.transitions.conclude`. It is repeated here because shared code imports no service;
    tests/unit/shared/records/test_preferences.py checks that both agree.
    """
    bases = (event for event in evolution.events if isinstance(event, RecordedBase))
    for base in (event for event in bases if not (event.abstained or event.breaks)):
        for text, reward in _scored((base.text,), (base.reward,)):
            yield FinalResponse(text, reward, 0, 0)
    ends = {event.cycle: event.rewards for event in evolution.events if isinstance(event, CycleEnd)}
    last = {event.cycle: event for event in evolution.events if isinstance(event, RecordedRound)}
    for event in last.values():
        untrusted = _untrusted(event)
        origins = list(range(len(event.texts)))
        for item in event.replacements:
            origins[item.state] = item.donor
        rewards = ends.get(event.cycle) or tuple(event.rewards[origin] for origin in origins)
        for (state, origin), reward in _scored(enumerate(origins), rewards):
            ended = event.finished[state] and state not in event.dropped
            if ended and origin not in untrusted and (event.texts[origin] or event.cycle in ends):
                yield FinalResponse(event.texts[origin], reward, event.cycle, event.round)


def _untrusted(event: RecordedRound) -> set[int]:
    """The states whose rewards abstain, or that break a requirement: nothing is preferred by these rewards."""
    return {state for whys in (event.abstained, event.breaks) for state, why in enumerate(whys) if why}


def _scored(items: Iterable[T], rewards: Iterable[float | None]) -> Iterator[tuple[T, float]]:
    """Items with their rewards. Those without a finite reward are left out."""
    for item, reward in zip(items, rewards, strict=False):
        if reward is not None and math.isfinite(reward):
            yield item, reward
