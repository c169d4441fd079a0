"""The reward service without its wire: scores candidates under a profile, a weighted sum of named components."""

import asyncio
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.reward import metrics
from services.reward.batcher import Batcher
from services.reward.combining import Ensemble, broken
from services.reward.json_values import values_text
from services.reward.length import LENGTH, LengthCurve
from services.reward.reference import Sample
from services.reward.scorer import ComponentScore, ComponentScorer, Conversation, ScoreItem
from services.reward.specs import part_names
from services.reward.validation import ResponseCandidate, ScoringLimits, check, check_names
from shared.errors import Internal, NotFound, Unavailable
from shared.records.evolution import Message

log = logging.getLogger(__name__)

_MAX_QUEUE = 8192
_RESULTS_KEPT = 4096


@dataclass(frozen=True)
class Component:
    """A term of a profile's sum; `scorer` is a key of the rewarder's scorers. Its scores have `parts`; with a `sample`,
    its value is the quantile in that."""

    name: str
    weight: float
    scorer: str
    parts: tuple[str, ...] = ()
    sample: Sample | None = None

    def value(self, score: ComponentScore) -> float:
        return self.sample.quantile(score.value) if self.sample else score.value


@dataclass(frozen=True)
class Profile:
    """A named weighted sum of components and of ensembles of these, less what a response's length predicts of it where
    there is a `length_curve`. What has less than its least value in `required` breaks a requirement."""

    name: str
    description: str
    components: tuple[Component, ...]
    length_curve: LengthCurve | None = None
    ensembles: tuple[Ensemble, ...] = ()
    required: Mapping[str, float] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of all parts of a reward, in the order of a score's."""
        names = [name for each in self.components for name in (each.name, *part_names(each.name, each.parts))]
        names += [ensemble.name for ensemble in self.ensembles]
        return (*names, LENGTH) if self.length_curve else tuple(names)


@dataclass(frozen=True)
class ScorePart:
    """One component's share in a score: weight times value. With a weight of 0 it says what others are made of."""

    name: str
    weight: float
    value: float


@dataclass(frozen=True)
class CandidateScore:
    """A candidate's reward, the sum of its parts. `abstained` is why a component says nothing of it, if one does, and
    `breaks` the first requirement that it breaks, if it breaks one."""

    id: str
    reward: float
    parts: tuple[ScorePart, ...]
    abstained: str = ""
    breaks: str = ""


@dataclass(frozen=True)
class ScoringResult:
    """The result of a call: scores in the order of its candidates, and the tokens its models computed and reused."""

    profile: str
    scores: tuple[CandidateScore, ...]
    computed_tokens: int
    cached_tokens: int


class Rewarder:
    """Scores responses under `profiles`. No scorer waits for another.

    Concurrent calls are batched, at most `max_batch` responses at once. Call it from one event loop, between `start`
    and `stop`.
    """

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        default: str,
        scorers: Mapping[str, ComponentScorer],
        limits: ScoringLimits,
        max_batch: int,
    ) -> None:
        self.profiles = profiles
        self._default = default
        self._scorers = scorers
        self._limits = limits
        self._batchers = {key: Batcher(scorer, max_batch, _MAX_QUEUE, _RESULTS_KEPT) for key, scorer in scorers.items()}
        self._loading: list[ComponentScorer] = []
        self._ready = False

    @property
    def waiting(self) -> int:
        """How many items of all scorers no batch has taken yet."""
        return sum(batcher.waiting for batcher in self._batchers.values())

    async def start(self) -> None:
        """Loads every model, one after another."""
        for key, scorer in self._scorers.items():
            began = time.monotonic()
            self._loading.append(scorer)
            await scorer.load()
            log.info("loaded %s in %.1f s", key, time.monotonic() - began)
        self._ready = True

    async def stop(self) -> None:
        """Fails what waits and frees the models."""
        self._ready = False
        for batcher in self._batchers.values():
            await batcher.close()
        while self._loading:
            await self._loading.pop().close()

    async def failed(self) -> str:
        """Waits until one of the scorers can serve no longer, which may be forever; returns why."""
        watching = [asyncio.ensure_future(scorer.failed()) for scorer in self._scorers.values()]
        try:
            done, _ = await asyncio.wait(watching, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in watching:
                task.cancel()
        return done.pop().result()

    async def score(
        self,
        messages: Sequence[Message],
        candidates: Sequence[ResponseCandidate],
        profile: str = "",
        cache_salt: str = "",
        *,
        json_values: bool = False,
    ) -> ScoringResult:
        """Scores every candidate against the conversation; an empty `profile` is the default one.

        With `json_values`, responses are JSON and judged by the text of their values. What is remembered of the call is
        used for calls of the same salt only.

        Raises:
            NotFound: no such profile.
            InvalidRequest: a limit is exceeded or the conversation is malformed; `field` says where.
            Overloaded: too many responses wait already.
            Internal: a score is missing or not finite.
            Unavailable: models are not loaded yet, or no longer.
        """
        check_names(profile, cache_salt)
        chosen = self._profile(profile)
        check(messages, candidates, self._limits)
        if not self._ready:
            raise Unavailable("the reward models are not loaded; come back later")
        conversation = Conversation(tuple(messages), cache_salt)
        items = [_item(conversation, candidate, json_values) for candidate in candidates]
        columns = await self._columns(chosen, items)
        rows = list(zip(*columns, strict=True))
        scored = ScoringResult(
            chosen.name,
            tuple(_total(chosen, *each) for each in zip(candidates, items, rows, strict=True)),
            sum(score.computed_tokens for column in columns for score in column),
            sum(score.cached_tokens for column in columns for score in column),
        )
        metrics.scored(chosen.name, len(rows), scored.computed_tokens, scored.cached_tokens)
        return scored

    async def _columns(self, profile: Profile, items: Sequence[ScoreItem]) -> list[list[ComponentScore]]:
        columns = [asyncio.ensure_future(self._batchers[part.scorer].score(items)) for part in profile.components]
        try:
            return await asyncio.gather(*columns)
        finally:
            for column in columns:
                column.cancel()

    def _profile(self, name: str) -> Profile:
        profile = self.profiles.get(name or self._default)
        if profile is None:
            raise NotFound(f"no profile {name!r}; there are: {', '.join(sorted(self.profiles))}", field="profile")
        return profile


def _item(conversation: Conversation, candidate: ResponseCandidate, json_values: bool) -> ScoreItem:
    if json_values:
        return ScoreItem(conversation, values_text(candidate.text), candidate.partial, candidate.text)
    return ScoreItem(conversation, candidate.text, candidate.partial)


def _total(
    profile: Profile, candidate: ResponseCandidate, item: ScoreItem, scores: Sequence[ComponentScore]
) -> CandidateScore:
    parts: list[ScorePart] = []
    known: dict[str, float] = {}
    for component, score in zip(profile.components, scores, strict=True):
        known[component.name] = component.value(score)
        parts.append(ScorePart(component.name, component.weight, known[component.name]))
        for name, part in zip(part_names(component.name, component.parts), score.parts, strict=True):
            parts.append(ScorePart(name, 0.0, part.value))
            if part.known:
                known[name] = part.value
    for ensemble in profile.ensembles:
        known[ensemble.name] = ensemble.value(known)
        parts.append(ScorePart(ensemble.name, ensemble.weight, known[ensemble.name]))
    if profile.length_curve:
        parts.append(ScorePart(LENGTH, -1.0, profile.length_curve.predicted(item.text)))
    reward = math.fsum(part.weight * part.value for part in parts)
    if not math.isfinite(reward):
        raise Internal(f"the weighted sum of profile {profile.name} is not finite")
    abstained = next((score.abstained for score in scores if score.abstained), "")
    return CandidateScore(candidate.id, reward, tuple(parts), abstained, broken(profile.required, known))
