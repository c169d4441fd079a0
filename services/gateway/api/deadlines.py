"""How long clients wait, and when a search ends whose request names no deadline of its own."""

import math
from collections.abc import Mapping
from dataclasses import replace

from fastapi import Request

from services.gateway.api.requests import SearchSettings
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller, caller_of
from shared.records.evolution import EvolutionRequest
from shared.records.search import LEAST_DEADLINE_MS, MOST_DEADLINE_MS

# Seconds that OpenAI's SDKs wait for an answer: of the one for Python, and of those that set no time per read.
_CLIENT_TIMEOUTS = ("x-stainless-read-timeout", "x-stainless-timeout")
# The answer must be on its way before the client leaves: a tenth of its time, and a second at least, is kept for that.
_USABLE_SHARE, _RESERVE_S = 0.9, 1.0
_LEAST_KEEPALIVE_S = 0.2


def client_timeout_s(headers: Mapping[str, str]) -> float | None:
    """Seconds after which the client hangs up on a silent call, as OpenAI's SDKs tell it; None where it is not told."""
    for name in _CLIENT_TIMEOUTS:
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if math.isfinite(seconds) and seconds > 0:
            return seconds
    return None


def keepalive_s(headers: Mapping[str, str], most_s: float) -> float:
    """Seconds between comments on a silent stream: at most `most_s`, and half of what its client waits for a sign."""
    timeout_s = client_timeout_s(headers)
    return most_s if timeout_s is None else min(most_s, max(timeout_s / 2, _LEAST_KEEPALIVE_S))


def with_deadline(
    evolution: EvolutionRequest,
    darwin: SearchSettings | None,
    request: Request,
    settings: GatewaySettings,
    *,
    waits: bool,
) -> EvolutionRequest:
    """The request with the shortest of the deadlines that others set, unless its caller names one.

    Others are the model's entry, the API key, the deployment, and, where the call `waits` in silence for its answer,
    the client's own time-out: it then gets the best response so far, instead of leaving with nothing.
    """
    timeout_s = client_timeout_s(request.headers) if waits else None
    return with_deadline_of(evolution, darwin, caller_of(request), settings, timeout_s)


def with_deadline_of(
    evolution: EvolutionRequest,
    darwin: SearchSettings | None,
    caller: Caller,
    settings: GatewaySettings,
    timeout_s: float | None = None,
) -> EvolutionRequest:
    """Like `with_deadline`, for a caller who leaves after `timeout_s` seconds, or never."""
    if getattr(darwin, "deadline_ms", None) is not None:
        return evolution
    key = caller.key
    deadlines = [evolution.search.deadline_ms, key.deadline_ms if key else None, settings.default_deadline_ms]
    if timeout_s is not None:
        deadlines.append(_before(min(timeout_s, settings.max_wait_s)))
    return replace(
        evolution,
        search=replace(
            evolution.search, deadline_ms=min((each for each in deadlines if each is not None), default=None)
        ),
    )


def _before(timeout_s: float) -> int:
    """Milliseconds of a deadline that leaves room for the answer to arrive within `timeout_s`."""
    seconds = min(timeout_s * _USABLE_SHARE, timeout_s - _RESERVE_S)
    return min(max(int(seconds * 1000), LEAST_DEADLINE_MS), MOST_DEADLINE_MS)
