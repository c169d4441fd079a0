"""From recorded evolutions to preference pairs, in the conversational format of TRL.

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

PairKind = Literal["best-worst", "best-base", "kept-replaced"]
Skipped = Literal["equal texts", "margin", "seen before"]

T = TypeVar("T")


@dataclass(frozen=True)
class PreferencePair:
    """Two responses to `messages`, the original conversation, and their rewards.

    Where it was found: `cycle` and `round` of the chosen text, both 0 for the base response.
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

    @property
    def margin(self) -> float:
        return self.score_chosen - self.score_rejected

    def row(self) -> dict[str, Any]:
        """The pair as TRL reads it, and where it comes from; columns are the same for every kind."""
        return {
            "prompt": [{"role": message.role, "content": message.content} for message in self.messages],
            "chosen": [{"role": "assistant", "content": self.chosen}],
            "rejected": [{"role": "assistant", "content": self.rejected}],
            "score_chosen": self.score_chosen,
            "score_rejected": self.score_rejected,
            "kind": self.kind,
            "evolution": self.evolution,
            "cycle": self.cycle,
            "round": self.round,
        }


class PairSelection:
    """Pairs worth learning from: the chosen text earned more, by at least `min_margin`, and each pair comes once."""

    def __init__(self, min_margin: float = 0.0) -> None:
        self._min_margin = min_margin
        self._seen: set[tuple[object, ...]] = set()
        self.kept: list[PreferencePair] = []
        self.skipped: Counter[tuple[PairKind, Skipped]] = Counter()

    def offer(self, pair: PreferencePair) -> None:
        """Keeps the pair, or counts why not."""
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
    """A complete response and its reward. `cycle` and `round`, when it was complete, are 0 for the base response."""

    text: str
    reward: float
    cycle: int
    round: int


def whole_pairs(evolution: RecordedEvolution) -> Iterator[PreferencePair]:
    """Best against worst final response, and best against the base response."""
    found = list(finals(evolution))
    if len(found) < 2:
        return
    best, worst = max(found, key=lambda final: final.reward), min(found, key=lambda final: final.reward)
    yield _against(evolution, "best-worst", best, worst)
    if found[0].cycle == 0:
        yield _against(evolution, "best-base", best, found[0])


def step_pairs(evolution: RecordedEvolution) -> Iterator[PreferencePair]:
    """For each replacement the donor's prefix against the one that it replaced."""
    for event in evolution.events:
        if not isinstance(event, RecordedRound):
            continue
        scored = dict(_scored(range(len(event.texts)), event.rewards))
        for item in event.replacements:
            if item.state in scored and item.donor in scored:
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
    )


def finals(evolution: RecordedEvolution) -> Iterator[FinalResponse]:
    """Complete responses that have a reward, the base response first, then by cycle and state.

    Those of a cycle stand in its last round, after its replacements; where the search ended before the cycle did, the
    complete ones among them count unless they are empty, as in the core (`transitions.conclude`).
    """
    for base in (event for event in evolution.events if isinstance(event, RecordedBase)):
        for text, reward in _scored((base.text,), (base.reward,)):
            yield FinalResponse(text, reward, 0, 0)
    ends = {event.cycle: event.rewards for event in evolution.events if isinstance(event, CycleEnd)}
    last = {event.cycle: event for event in evolution.events if isinstance(event, RecordedRound)}
    for event in last.values():
        origins = list(range(len(event.texts)))
        for item in event.replacements:
            origins[item.state] = item.donor
        rewards = ends.get(event.cycle) or tuple(event.rewards[origin] for origin in origins)
        for (state, origin), reward in _scored(enumerate(origins), rewards):
            if event.finished[state] and (event.texts[origin] or event.cycle in ends):
                yield FinalResponse(event.texts[origin], reward, event.cycle, event.round)


def _scored(items: Iterable[T], rewards: Iterable[float | None]) -> Iterator[tuple[T, float]]:
    """Items with their rewards; those without a finite one are left out."""
    for item, reward in zip(items, rewards, strict=False):
        if reward is not None and math.isfinite(reward):
            yield item, reward
