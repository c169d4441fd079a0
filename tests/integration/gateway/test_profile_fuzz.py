"""Generated calls against the routes of managed profiles, over a real reward service: nothing fails, and no answer is
one that /openapi.json does not describe."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import redis
import requests
from hypothesis import given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi.schemas import OpenApiSchema

from cli.stack.child import Child
from shared.store.api_keys import ApiKeys, new_key
from tests.examples import examples
from tests.integration.gateway.running import Gateway
from tests.integration.gateway.test_schemathesis import FIXED, LEFT_OUT, reference

NAMES = ("fuzzed", "default", "none")
CONTENTS = (
    "components: [{name: made, type: simulated, weight: 1}]",
    "components: [{name: made, type: simulated, weight: 2}]\nwishes: [short]",
    "components: [{name: made, type: simulated, weight: 1, transform: win_rate, beta: 0.2}]",
    "components: [{name: made, type: nothing, weight: 1}]",
    "components: [",
)
ROUTES = (
    ("/v1/profiles/{name}", "PUT"),
    ("/v1/profiles/{name}", "GET"),
    ("/v1/profiles/{name}/promote", "POST"),
    ("/v1/profiles/{name}/rollback", "POST"),
    ("/v1/profiles/{name}/shadow", "POST"),
    ("/v1/profiles/{name}/canary", "POST"),
    ("/v1/profiles/{name}/canary", "DELETE"),
    ("/v1/profiles/{name}/shadow", "DELETE"),
    ("/v1/profiles/{name}/try", "POST"),
    ("/v1/profiles/{name}/versions", "GET"),
    ("/v1/profiles", "GET"),
    ("/v1/profiles/{name}", "DELETE"),
)


@pytest.fixture(scope="module")
def own_redis(redis_url: str) -> Iterator[str]:
    """A database of our own."""
    url = redis_url.rpartition("/")[0] + "/7"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield url
        client.flushdb()


@pytest.fixture(scope="module")
def managing(own_redis: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a reward service, whose profiles it manages."""
    folder = tmp_path_factory.mktemp("managing")
    listen = {"DARWIN_REWARD_LISTEN": "127.0.0.1:0", "DARWIN_REWARD_PROFILES": "simulated"}
    reward = Child(
        "reward", [sys.executable, "-m", "services.reward"], folder, listen | {"DARWIN_REDIS_URL": own_redis}
    )
    try:
        env = {"DARWIN_GATEWAY_REWARD": reward.address(60), "DARWIN_GATEWAY_KEYS": "required"}
        with Gateway(own_redis, folder, **env) as running:
            yield running
    finally:
        reward.terminate()
        assert reward.wait(30) == 0
        assert "Traceback" not in reward.log.read_text()


@pytest.fixture(scope="module")
def document(managing: Gateway) -> OpenApiSchema:
    return reference(managing)


@pytest.fixture(scope="module")
def manager(own_redis: str) -> dict[str, str]:
    text, key = new_key("fuzzing", manages_profiles=True)

    async def add() -> None:
        keys = ApiKeys(own_redis)
        await keys.add(key)
        await keys.close()

    asyncio.run(add())
    return {"authorization": f"Bearer {text}"}


def probe(document: OpenApiSchema, path: str, method: str, mode: GenerationMode, **call: Any) -> Counter[int]:
    """Sends generated calls, most of them about profiles that there are; counts the answers by status."""
    statuses: Counter[int] = Counter()

    @settings(FIXED, max_examples=examples(12))
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def check(case: Case) -> None:
        if mode is GenerationMode.POSITIVE:
            number = len(str(case.body)) + len(str(case.path_parameters))
            case.query = {}  # another tenant's are nobody's
            if "name" in case.path_parameters:
                case.path_parameters["name"] = NAMES[number % len(NAMES)]
            if isinstance(case.body, dict) and case.body.get("content"):
                case.body["content"] = CONTENTS[number % len(CONTENTS)]
            if isinstance(case.body, dict) and case.body.get("version"):
                case.body["version"] = 1 + number % 3
        response = case.call_and_validate(timeout=60, excluded_checks=LEFT_OUT, **call)
        statuses[response.status_code] += 1

    check()
    print(f"{method} {path}, {mode.value}: {dict(statuses)}")
    return statuses


def test_routes_of_managed_profiles(document: OpenApiSchema, managing: Gateway, manager: dict[str, str]) -> None:
    """In the order of a profile's life, so that later calls find what earlier ones made."""
    succeeded: Counter[str] = Counter()
    with requests.Session() as session:
        for name in ("fuzzed", "default"):
            for content in CONTENTS[:3]:
                url = f"{managing.url}/v1/profiles/{name}"
                assert session.put(url, json={"content": content}, headers=manager, timeout=60).ok
        for path, method in ROUTES:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if mode is GenerationMode.NEGATIVE and method == "GET" and "{" not in path:
                    continue
                statuses = probe(document, path, method, mode, session=session, headers=manager)
                assert max(statuses) < 500
                succeeded[f"{method} {path}"] += statuses[200]
    assert all(succeeded[f"{method} {path}"] for path, method in ROUTES if method != "DELETE"), succeeded
    assert "Traceback" not in managing.process.log.read_text()
