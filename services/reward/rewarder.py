"""The reward service without its wire: scores candidates under a profile, a weighted sum of named components."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from services.reward import memory, metrics
from services.reward.combining import broken
from services.reward.json_values import values_text
from services.reward.length import LENGTH
from services.reward.pool import AnyScorer, ScorerPool
from services.reward.scorer import TRIAL, ComponentScore, Conversation, ScoreItem
from services.reward.specs import part_names
from services.reward.validation import ResponseCandidate, ScoringLimits, check, check_content, check_names
from services.reward.versions import Build, Versions
from services.reward.weighted import Profile
from shared.errors import Internal, NotFound, Unavailable, Unsupported
from shared.records.evolution import Message


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
    """The result of a call: scores in the order of its candidates, and the tokens its models computed and reused.

    `comparisons` are (component, first, second, P): with P the first candidate is better than the second, by places.
    """

    profile: str
    scores: tuple[CandidateScore, ...]
    computed_tokens: int
    cached_tokens: int
    comparisons: tuple[tuple[str, int, int, float], ...] = ()


class Rewarder:
    """Scores responses under `profiles`, which last, and under those that calls bring with them. No scorer waits for
    another.

    Concurrent calls are batched, at most `max_batch` responses at once. Call it from one event loop, between `start`
    and `stop`.
    """

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        default: str,
        scorers: Mapping[str, AnyScorer],
        limits: ScoringLimits,
        max_batch: int,
        build: Build | None = None,
        most_bytes: int | None = None,
    ) -> None:
        self.profiles = profiles
        self.default = default
        self._scorers = scorers
        self._limits = limits
        self._pool = ScorerPool(max_batch, memory.most_for_models() if most_bytes is None else most_bytes)
        self._versions = Versions(self._pool, build) if build else None
        self._ready = False

    @property
    def waiting(self) -> int:
        """How many items of all scorers no batch has taken yet."""
        return self._pool.waiting

    async def start(self) -> None:
        """Loads every model of the profiles that last, one after another."""
        await self._pool.load({key: partial(_itself, each) for key, each in self._scorers.items()}, lasting=True)
        self._ready = True

    async def stop(self) -> None:
        """Fails what waits and frees the models."""
        self._ready = False
        if self._versions:
            await self._versions.close()
        await self._pool.close()

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
        content: str = "",
        only_loaded: bool = False,
        together: bool = False,
    ) -> ScoringResult:
        """Scores every candidate against the conversation; an empty `profile` is the default one. Where there is a
        `content`, it is the profile as YAML, which is loaded before, unless the call is for `only_loaded` ones.

        With `json_values`, responses are JSON and judged by the text of their values. What is remembered of the call is
        used for calls of the same salt only. Where the profile compares candidates, they must be all of a population,
        which `together` says.

        Raises:
            NotFound: no such profile.
            InvalidRequest: a limit is exceeded or the conversation is malformed; `field` says where.
            Overloaded: too many responses wait already, or there is no memory for the profile's models.
            Internal: a score is missing or not finite.
            Unavailable: models are not loaded yet, or no longer.
            Unsupported: the profile compares candidates, and these are not `together`; or it reads self-certainty, and
                one has none.
        """
        check_names(profile, cache_salt)
        if content:
            check_content(content)
        lasting = None if content else self._profile(profile)
        check(messages, candidates, self._limits)
        self._check_ready()
        chosen = lasting or await self._version(profile, content, only_loaded)
        if chosen.relative and not together:
            raise Unsupported(
                f"the reward profile {chosen.name} compares the responses of a search, and this call has single ones: "
                "set DARWIN_GATEWAY_REWARD, by which the gateway knows of that, or take another profile",
                field="profile",
            )
        if chosen.self_certainty and any(each.self_certainty is None for each in candidates):
            raise Unsupported(
                f"the reward profile {chosen.name} reads how certain the language model was while it decoded, which "
                "texts alone do not tell: take a profile without a component of type self_certainty; if this is a "
                "search, set DARWIN_GATEWAY_REWARD, by which the gateway knows what the profile needs",
                field="profile",
            )
        conversation = Conversation(tuple(messages), cache_salt)
        items = [_item(conversation, each, json_values, certain=chosen.self_certainty) for each in candidates]
        columns = await self._columns(chosen, items)
        rows = list(zip(*columns, strict=True))
        values = await _values(chosen, columns)
        scored = ScoringResult(
            chosen.name,
            tuple(_total(chosen, *each) for each in zip(candidates, items, rows, values, strict=True)),
            sum(score.computed_tokens for column in columns for score in column),
            sum(score.cached_tokens for column in columns for score in column),
            tuple(_comparisons(chosen, columns)),
        )
        metrics.scored(chosen.name, scored.scores, scored.computed_tokens, scored.cached_tokens)
        return scored

    async def load(self, profile: str, content: str) -> Profile:
        """Loads the profile that `content` is as YAML, and has it score a response: it is as any other then.

        Raises:
            NotFound, Unsupported, InvalidRequest: it cannot be served; the message says what to change.
            Overloaded: there is no memory for its models beside those in use.
            Internal: it gives no finite score.
            Unavailable: models are not loaded yet, or no longer.
        """
        check_names(profile, "")
        self._check_ready()
        loaded = await self._version(profile, content, only_loaded=False)
        columns = await self._columns(loaded, [TRIAL])
        (values,) = await _values(loaded, columns)
        _total(loaded, ResponseCandidate("trial", TRIAL.text), TRIAL, [column[0] for column in columns], values)
        return loaded

    async def _version(self, profile: str, content: str, only_loaded: bool) -> Profile:
        if self._versions is None:
            raise Unsupported("this service takes no profiles with calls")
        return await self._versions.get(profile, content, only_loaded=only_loaded)

    async def _columns(self, profile: Profile, items: Sequence[ScoreItem]) -> list[list[ComponentScore]]:
        keys = {part.scorer for part in profile.components}
        with self._pool.using(keys) as batchers:
            columns = [asyncio.ensure_future(batchers[part.scorer].score(items)) for part in profile.components]
            try:
                return await asyncio.gather(*columns)
            finally:
                for column in columns:
                    column.cancel()

    def _check_ready(self) -> None:
        if not self._ready:
            raise Unavailable("the reward models are not loaded; come back later")

    def _profile(self, name: str) -> Profile:
        profile = self.profiles.get(name or self.default)
        if profile is None:
            raise NotFound(f"no profile {name!r}; there are: {', '.join(sorted(self.profiles))}", field="profile")
        return profile


def _itself(scorer: AnyScorer) -> AnyScorer:
    return scorer


def _item(conversation: Conversation, candidate: ResponseCandidate, json_values: bool, *, certain: bool) -> ScoreItem:
    text, written = (values_text(candidate.text), candidate.text) if json_values else (candidate.text, "")
    certainty = candidate.self_certainty if certain else None
    return ScoreItem(conversation, text, candidate.partial, written, certainty)


async def _values(profile: Profile, columns: Sequence[Sequence[ComponentScore]]) -> list[tuple[float, ...]]:
    """The components' values of each candidate. Win rates of many candidates take a while."""

    def computed() -> list[tuple[float, ...]]:
        found = [part.values(column) for part, column in zip(profile.components, columns, strict=True)]
        return list(zip(*found, strict=True))

    return await asyncio.to_thread(computed) if profile.relative else computed()


def _comparisons(
    profile: Profile, columns: Sequence[Sequence[ComponentScore]]
) -> Iterator[tuple[str, int, int, float]]:
    for part, column in zip(profile.components, columns, strict=True):
        for first, score in enumerate(column):
            for second, chance in score.preferences:
                yield part.name, first, second, chance


def _total(
    profile: Profile,
    candidate: ResponseCandidate,
    item: ScoreItem,
    scores: Sequence[ComponentScore],
    values: Sequence[float],
) -> CandidateScore:
    parts: list[ScorePart] = []
    known: dict[str, float] = {}
    for component, score, value in zip(profile.components, scores, values, strict=True):
        known[component.name] = value
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
