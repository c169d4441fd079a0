"""Who asks for what, and when: three tenants of equal weight, their searches, and arrivals that wait for nobody."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from bench.questions import QUESTIONS
from shared.methods import Method

FLOOD, STEADY, LIGHT = "flood", "steady", "light"
TENANTS = (FLOOD, STEADY, LIGHT)
LEAST_RATE = 0.25
"""Of capacity: below, the other two would leave the flooding tenant next to nothing."""

# Of capacity at every rate: its load stays the same while the others' grows, so its own times can be compared.
_LIGHT_OF_CAPACITY = 0.1
# Of what arrives. At twice the capacity that is more than its fair share of 45 %, so that it has a backlog too.
_STEADY_OF_RATE = 0.3

# Of twenty searches in a row of a tenant, so many are of each method.
_METHODS: dict[Method, int] = {"sample": 8, "best-of-n": 4, "darwin": 5, "replacement-only": 3}
# Tokens of an answer are log-normal, from 8 to 280 with a mean of 70.
_MEDIAN_TOKENS, _SIGMA = 48, 0.9
_STREAMED = 0.3


@dataclass(frozen=True)
class Ask:
    """One search that a tenant asks for; `at_s` seconds after the beginning, whatever became of those before.

    `streamed`: as a chat completion that streams; otherwise as an evolution, which is read until it has ended.
    """

    tenant: str
    at_s: float
    body: dict[str, Any]
    deadline_s: float | None
    streamed: bool


def per_second(rate: float, capacity: float) -> dict[str, float]:
    """Searches per second of each tenant where all together ask for `rate` times `capacity` (searches per second)."""
    light, steady = _LIGHT_OF_CAPACITY * capacity, _STEADY_OF_RATE * rate * capacity
    return {FLOOD: rate * capacity - light - steady, STEADY: steady, LIGHT: light}


def arrivals(seed: int, rate: float, capacity: float, seconds: float, deadline_s: float) -> list[Ask]:
    """Every search that is asked for within `seconds`, in order; those of each tenant are a Poisson process.

    The light tenant's have a deadline. The same seed gives each tenant the same searches in the same order at every
    rate, and the light tenant, whose rate is always the same, even at the same times.
    """
    asked: list[Ask] = []
    for tenant, of_tenant in per_second(rate, capacity).items():
        asks = endless(seed, tenant, of_tenant, deadline_s if tenant == LIGHT else None)
        for ask in asks:
            if ask.at_s >= seconds:
                break
            asked.append(ask)
    return sorted(asked, key=lambda ask: ask.at_s)


def endless(seed: int, tenant: str, of_tenant: float, deadline_s: float | None = None) -> Iterator[Ask]:
    """A tenant's searches, `of_tenant` per second.

    Methods and sizes are dealt like cards: every twenty searches hold each method as often as `_METHODS` says and each
    twentieth of the sizes once. So a short run asks for about as much as a long one.
    """
    draws, now, number = random.Random(f"{seed} {tenant}"), 0.0, 0
    methods = [method for method, count in _METHODS.items() for _ in range(count)]
    sizes = _sizes(len(methods))
    while True:
        draws.shuffle(methods)
        draws.shuffle(sizes)
        for method, tokens in zip(methods, sizes, strict=True):
            now, number = now + draws.expovariate(of_tenant), number + 1
            streamed = draws.random() < _STREAMED
            yield Ask(tenant, now, _body(method, tokens, number, deadline_s), deadline_s, streamed)


def _sizes(count: int) -> list[int]:
    """As many quantiles of the log-normal distribution of tokens, from the least."""
    normal = NormalDist()
    return [round(_MEDIAN_TOKENS * math.exp(_SIGMA * normal.inv_cdf((index + 0.5) / count))) for index in range(count)]


def _body(method: Method, tokens: int, number: int, deadline_s: float | None) -> dict[str, Any]:
    """The common part of the bodies of both APIs."""
    body: dict[str, Any] = {
        "model": method,
        "messages": [{"role": "user", "content": f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"}],
        "max_tokens": tokens,
    }
    if deadline_s is not None:
        body["darwin"] = {"deadline_ms": round(1000 * deadline_s)}
    return body
