"""A running stack, slow enough to be watched, and a real browser in front of it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext

from bench.browser import chromium
from cli.client import Client
from cli.stack import Stack, StackSettings
from tests.e2e.inspector.visiting import INSTRUCTION, Visit
from tests.integration.gateway.running import Gateway
from tests.programs import program

TRACES = "http://traces.example/t/{trace_id}"


@pytest.fixture(scope="package")
def slow_stack() -> Iterator[Stack]:
    """Simulated models that take their time: a round is seen to run."""
    env = {"DARWIN_GENERATION_SIMULATED_TOKENS_PER_SECOND": "60", "DARWIN_GATEWAY_TRACE_URL": TRACES}
    with Stack(StackSettings.simulated(env)) as running:
        yield running
        running.check()


@pytest.fixture(scope="package")
def guarded(slow_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway that asks for keys, over the same Redis."""
    env = {"DARWIN_GATEWAY_KEYS": "required", "DARWIN_GATEWAY_REWARD": slow_stack.addresses["reward"]}
    with Gateway(slow_stack.redis_url, tmp_path_factory.mktemp("guarded"), **env) as running:
        yield running


def evolve(stack: Stack, **body: Any) -> str:
    """The id of an evolution that has ended."""
    with Client(stack.url) as client:
        evolution_id: str = client.start({"model": "darwin", **body})["id"]
        for _ in client.events(evolution_id):
            pass
    return evolution_id


@pytest.fixture(scope="package")
def evolved(slow_stack: Stack) -> dict[str, Any]:
    """The recording of a 3-cycle, 15-state evolution."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": INSTRUCTION}]
    search = {"cycles": 3, "mutants": 5, "period": 16, "survivors": 2, "max_generated_tokens": 5000, "token_price": 0}
    evolution_id = evolve(slow_stack, messages=messages, max_tokens=48, seed=6, darwin=search)
    recording: dict[str, Any] = httpx.get(f"{slow_stack.url}/v1/evolutions/{evolution_id}/recording").json()
    return recording


@pytest.fixture(scope="package")
def others(slow_stack: Stack) -> dict[str, str]:
    """Evolutions by other methods."""
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    return {method: evolve(slow_stack, **body | {"model": f"openai/{method}"}) for method in ("best-of-n", "sample")}


@pytest.fixture(scope="package")
def window() -> Iterator[BrowserContext]:
    program("chromium")
    with chromium(viewport={"width": 1366, "height": 768}, accept_downloads=True) as context:
        context.set_default_timeout(15_000)
        yield context


@pytest.fixture
def visit(slow_stack: Stack, window: BrowserContext) -> Iterator[Visit]:
    """A fresh page; at its end nothing was asked of anybody but the gateway, and nothing went wrong unheard."""
    page = window.new_page()
    visit = Visit(page, slow_stack.url)
    yield visit
    assert visit.requests, "the page was never opened"
    assert {url for url in visit.requests if not url.startswith((*visit.origins, "data:", "blob:"))} == set()
    assert visit.complaints == []
    page.close()
