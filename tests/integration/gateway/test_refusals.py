"""What callers hear while Redis answers, but takes no writes, is not ready, or forbids what is asked."""

from collections.abc import Iterator

import httpx
import pytest
import redis

from cli.stack.redis_server import start_redis
from tests.integration.gateway.running import BODY, Gateway
from tests.integration.test_redis_refusals import STATES, State, busy, without_primary

INSIDE = ("redis", "oom", "maxmemory", "readonly", "replica", "masterdown", "noperm", "busy", "script", "replicas")


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of our own, which is made unwell, and its user."""
    child, url = start_redis(tmp_path_factory.mktemp("unwell"))
    permit(url)
    yield url
    child.terminate()
    assert child.wait(10) == 0


def permit(url: str, *but: str) -> None:
    with redis.Redis.from_url(url) as admin:
        admin.execute_command("ACL", "SETUSER", "darwin", "reset", "on", ">pass", "~darwin*", "+@all", *but)


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    own = redis_url.replace("redis://", "redis://darwin:pass@")
    with Gateway(own, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def calls(http: httpx.Client) -> Iterator[httpx.Response]:
    """Everything that writes."""
    yield http.post("/v1/chat/completions", json=BODY)
    yield http.post("/v1/chat/completions", json=BODY | {"stream": True})
    yield http.post("/v1/completions", json={"model": "darwin", "prompt": "Why?"})
    yield http.post("/v1/responses", json={"model": "darwin", "input": "Why?"})
    yield http.post("/v1/evolutions", json=BODY)
    yield http.post("/v1/files", files={"file": ("a.jsonl", b"{}\n")}, data={"purpose": "batch"})


def refused(answer: httpx.Response, may_retry: bool = True) -> None:
    assert answer.status_code == 503, answer.text
    assert ("retry-after" in answer.headers) == may_retry
    assert answer.headers["x-should-retry"] == ("true" if may_retry else "false")
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("unavailable", None)
    assert not [word for word in INSIDE if word in answer.text.lower()]


@pytest.mark.parametrize("state", STATES)
def test_a_server_that_does_nothing_now_is_a_503_to_come_back_from(
    state: State, gateway: Gateway, redis_url: str
) -> None:
    with httpx.Client(base_url=gateway.url, timeout=30) as http, redis.Redis.from_url(redis_url) as admin:
        with state(admin):
            for answer in calls(http):
                # Who does not even say what it has may have a search, where the call came as far as to ask for one.
                unknown = "whether a search was accepted is not known" in answer.text
                assert not unknown or state in (without_primary, busy)
                refused(answer, may_retry=not unknown)
        assert http.post("/v1/evolutions", json=BODY).status_code == 202


def test_a_user_that_may_not_is_a_503_and_one_line_in_the_log(gateway: Gateway, redis_url: str) -> None:
    with httpx.Client(base_url=gateway.url, timeout=30) as http:
        permit(redis_url, "-hset", "-hget", "-hmget")
        for answer in calls(http):
            refused(answer)
        permit(redis_url)
        assert http.post("/v1/evolutions", json=BODY).status_code == 202
    logged = [line for line in gateway.process.log.read_text().splitlines() if "NOPERM" in line]
    assert len(logged) == 1
    assert "ACL SETUSER" in logged[0]
