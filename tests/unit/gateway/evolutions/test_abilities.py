"""What a language model that continues nothing cannot serve is refused before anything is spent."""

from typing import Any

import httpx
import pytest

from shared.methods import METHODS, Ability
from shared.store.presence import Presence, Stages
from tests.unit.gateway import apps
from tests.unit.gateway.apps import BODY, CHAT, URL, Refusing, app_with, shaped


def lacking(*lacks: Ability) -> Any:
    class Lacking(Presence):
        async def stages(self) -> Stages:
            return Stages(lacks=frozenset(lacks))

    return Lacking


async def ask(path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    transport = httpx.ASGITransport(app=app_with(Refusing(URL, ttl_s=60)), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        return await (http.get(path) if body is None else http.post(path, json=body))


@pytest.mark.parametrize("method", METHODS)
async def test_methods_that_continue_responses_are_refused(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await ask(CHAT, BODY | {"model": method})).status_code == 409, "accepted"
    monkeypatch.setattr(apps, "Complete", lacking("continues"))
    response = await ask(CHAT, BODY | {"model": method})
    if method in ("darwin", "replacement-only"):
        assert "best-of-n, mutation-only, sample" in shaped(response, 400, "model")
    else:
        assert response.status_code == 409
    shrinking = await ask(CHAT, BODY | {"model": "best-of-n", "darwin": {"shrink": 0.5}})
    assert "leave darwin.shrink out" in shaped(shrinking, 400, "darwin.shrink")
    listed = {each["id"]: each["served"] for each in (await ask("/v1/models")).json()["data"]}
    assert listed == {name: name not in ("darwin", "replacement-only") for name in METHODS}


async def test_beginnings_of_answers_and_raw_prompts_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = BODY | {"model": "sample", "messages": [*BODY["messages"], {"role": "assistant", "content": "Be"}]}
    prompt = {"model": "sample", "prompt": "Once"}
    monkeypatch.setattr(apps, "Complete", lacking("continues"))
    assert "last message" in shaped(await ask(CHAT, begun), 400, "messages")
    assert (await ask("/v1/completions", prompt)).status_code == 409
    monkeypatch.setattr(apps, "Complete", lacking("raw_prompts"))
    assert "POST /v1/chat/completions" in shaped(await ask("/v1/completions", prompt), 400, "prompt")
    assert (await ask(CHAT, begun)).status_code == 409
