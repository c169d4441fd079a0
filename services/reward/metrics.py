"""What the reward service measures of its calls and batches."""

from typing import Protocol

from opentelemetry.metrics import Observation

from shared.telemetry.labels import Labels
from shared.telemetry.metrics import METER, SIZES

_PROFILES = Labels(100)
_BATCH = METER.create_histogram(
    "darwin.reward.batch.size",
    "{response}",
    "Responses that a scorer computed at once.",
    explicit_bucket_boundaries_advisory=SIZES,
)
_SCORES = METER.create_counter("darwin.reward.scores", "{response}", "Responses scored, by profile.")
_TOKENS = METER.create_counter("darwin.reward.tokens", "{token}", "Tokens that scorers computed, or reused (cached).")


class _Waiting(Protocol):
    @property
    def waiting(self) -> int: ...


def watch(rewarder: _Waiting) -> None:
    """Shows how many items wait; once per process."""
    METER.create_observable_gauge(
        "darwin.reward.waiting",
        [lambda options: [Observation(rewarder.waiting)]],
        "{response}",
        "Responses that no batch has taken yet.",
    )


def batch(items: int) -> None:
    """A scorer computes a batch."""
    _BATCH.record(items)


def scored(profile: str, responses: int, computed_tokens: int, cached_tokens: int) -> None:
    """A call was scored; `profile` is one of those loaded, with its version where it has one."""
    _SCORES.add(responses, {"profile": _PROFILES.of(profile)})
    _TOKENS.add(computed_tokens, {"kind": "computed"})
    _TOKENS.add(cached_tokens, {"kind": "cached"})
