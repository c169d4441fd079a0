"""What the reward service measures of its calls and batches."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from opentelemetry.metrics import Observation

from shared.telemetry.labels import Labels
from shared.telemetry.metrics import METER, SIZES

# Versions of profiles that are shown apart, and components of one whose shares are.
_PROFILES = Labels(50)
_MOST_COMPONENTS = 16
# How much the newest response counts in moments of rewards: as much as a five hundredth of all.
_NEWEST = 1 / 500
_BATCH = METER.create_histogram(
    "darwin.reward.batch.size",
    "{response}",
    "Responses that a scorer computed at once.",
    explicit_bucket_boundaries_advisory=SIZES,
)
_SCORES = METER.create_counter("darwin.reward.scores", "{response}", "Responses scored, by profile.")
_TOKENS = METER.create_counter("darwin.reward.tokens", "{token}", "Tokens that scorers computed, or reused (cached).")
_REWARDS = METER.create_histogram(
    "darwin.reward.value",
    "{reward}",
    "Rewards that do not abstain, by profile.",
    explicit_bucket_boundaries_advisory=(-10.0, -5.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 5.0, 10.0),
)
_ABSTAINED = METER.create_counter("darwin.reward.abstained", "{response}", "Rewards that abstain, by profile and why.")


class _Part(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def weight(self) -> float: ...
    @property
    def value(self) -> float: ...


class _Score(Protocol):
    @property
    def reward(self) -> float: ...
    @property
    def parts(self) -> Sequence[_Part]: ...
    @property
    def abstained(self) -> str: ...


class _Waiting(Protocol):
    @property
    def waiting(self) -> int: ...


class Shares:
    """Which share of a reward's variance is each component's: its covariance with the reward over the reward's
    variance, so that all together are 1. Older responses count less and less."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}
        self._covariances: dict[str, float] = {}
        self._mean = self._variance = 0.0

    def add(self, reward: float, parts: Mapping[str, float]) -> None:
        """Counts a response, by what each of its components adds to its reward."""
        first, away = not self._means, reward - self._mean
        self._mean = reward if first else self._mean + _NEWEST * away
        self._variance = 0.0 if first else (1 - _NEWEST) * (self._variance + _NEWEST * away * away)
        for name, part in parts.items():
            from_mean = part - self._means.get(name, part)
            self._means[name] = self._means.get(name, part) + _NEWEST * from_mean
            before = self._covariances.get(name, 0.0)
            self._covariances[name] = (1 - _NEWEST) * (before + _NEWEST * away * from_mean)

    def shares(self) -> dict[str, float]:
        """By component; empty while all rewards are the same."""
        if not self._variance:
            return {}
        return {name: covariance / self._variance for name, covariance in self._covariances.items()}


_SHARES: dict[str, Shares] = {}


def _variance_shares(_: object) -> Iterator[Observation]:
    for profile, shares in tuple(_SHARES.items()):
        for component, share in tuple(shares.shares().items()):
            yield Observation(share, {"profile": profile, "component": component})


def watch(rewarder: _Waiting) -> None:
    """Shows how many items wait, and what rewards are made of; once per process."""
    METER.create_observable_gauge(
        "darwin.reward.variance.share",
        [_variance_shares],
        "{share}",
        "Share of a component in the variance of rewards, by profile.",
    )
    METER.create_observable_gauge(
        "darwin.reward.waiting",
        [lambda options: [Observation(rewarder.waiting)]],
        "{response}",
        "Responses that no batch has taken yet.",
    )


def batch(items: int) -> None:
    """A scorer computes a batch."""
    _BATCH.record(items)


def scored(profile: str, scores: Sequence[_Score], computed_tokens: int, cached_tokens: int) -> None:
    """A call was scored; `profile` is one of those loaded, with its version where it has one."""
    label = _PROFILES.of(profile)
    _SCORES.add(len(scores), {"profile": label})
    _ABSTAINED.add(0, {"profile": label})  # so that it exists where none abstains
    for score in scores:
        if score.abstained:
            _ABSTAINED.add(1, {"profile": label, "why": score.abstained})
            continue
        _REWARDS.record(score.reward, {"profile": label})
        if label == profile:
            weighted = [(part.name, part.weight * part.value) for part in score.parts if part.weight]
            _SHARES.setdefault(label, Shares()).add(score.reward, dict(weighted[:_MOST_COMPONENTS]))
    _TOKENS.add(computed_tokens, {"kind": "computed"})
    _TOKENS.add(cached_tokens, {"kind": "cached"})
