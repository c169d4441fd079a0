"""When a search ends whose request names no deadline."""

from typing import Any

import pytest
from starlette.requests import Request

from services.gateway.api.deadlines import client_timeout_s, keepalive_s, with_deadline
from services.gateway.api.requests import ChatCompletionRequest
from services.gateway.api.validation import evolution_request
from services.gateway.config.settings import GatewaySettings
from services.gateway.edge.access import Caller
from shared.store.api_keys import new_key
from tests.unit.gateway.apps import BODY

READ = "x-stainless-read-timeout"


def deadline_ms(
    headers: dict[str, str], key_ms: int | None = None, waits: bool = True, own: Any = None, **settings: Any
) -> int | None:
    body = ChatCompletionRequest.model_validate(BODY | ({"darwin": own} if own else {}))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    key = new_key("acme", deadline_ms=key_ms)[1]
    request = Request({"type": "http", "headers": raw, "state": {"caller": Caller(key)}})
    of_deployment = GatewaySettings(**settings)
    evolution = evolution_request(body, of_deployment)
    return with_deadline(evolution, body.darwin, request, of_deployment, waits=waits).search.deadline_ms


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({READ: "60.0"}, 54_000),
        ({READ: "5"}, 4_000),
        ({READ: "600"}, 486_000),
        ({READ: "0.5"}, 100),
        ({"x-stainless-timeout": "20"}, 18_000),
        ({READ: "30", "x-stainless-timeout": "20"}, 27_000),
        ({READ: "soon", "x-stainless-timeout": "20"}, 18_000),
        *(({READ: value}, None) for value in ("", "nan", "inf", "-1", "0", "None")),
    ],
)
def test_a_client_that_waits_is_answered_before_it_leaves(headers: dict[str, str], expected: int | None) -> None:
    assert deadline_ms(headers) == expected
    assert deadline_ms(headers, waits=False) is None


def test_a_deadline_lies_within_what_a_search_may_have() -> None:
    assert deadline_ms({READ: "1e9"}, max_wait_s=1e9) == 86_400_000


def test_the_shortest_applies() -> None:
    everything: dict[str, Any] = {"default_deadline_ms": 7000, "models": {"gpt": {"settings": {"deadline_ms": 6000}}}}
    assert deadline_ms({}, default_deadline_ms=7000) == 7000
    assert deadline_ms({}, key_ms=5000, default_deadline_ms=7000) == 5000
    assert deadline_ms({READ: "5"}, key_ms=5000, default_deadline_ms=7000) == 4000
    assert deadline_ms({READ: "60"}, waits=False, **everything) == 7000


def test_the_requests_own_goes_before_all_others() -> None:
    assert deadline_ms({READ: "5"}, key_ms=5000, own={"deadline_ms": 90_000}, default_deadline_ms=7000) == 90_000
    assert deadline_ms({READ: "5"}, own={"deadline_ms": None}) == 4000


@pytest.mark.parametrize(("told", "expected"), [("600", 15), ("20", 10), ("1", 0.5), ("0.01", 0.2), ("soon", 15)])
def test_a_silent_stream_gives_a_sign_before_its_client_leaves(told: str, expected: float) -> None:
    assert keepalive_s({READ: told}, 15) == expected


def test_a_time_out_that_is_not_told_is_none() -> None:
    assert client_timeout_s({}) is None
    assert client_timeout_s({READ: "1.5"}) == 1.5
