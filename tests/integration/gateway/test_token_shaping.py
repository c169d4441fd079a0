"""What shapes sampling, through OpenAI's SDK: what is stored of it, and what an evolution shows."""

import asyncio
from dataclasses import replace
from typing import Any

import openai
import pytest

from shared.store.evolutions import Store
from tests.integration.gateway.running import MESSAGES

GIVEN: dict[str, Any] = {"presence_penalty": 0.5, "frequency_penalty": -1.5, "logit_bias": {"42": -100, "7": 0}}
VLLMS: dict[str, Any] = {"repetition_penalty": 1.25, "min_p": 0.1, "ignore_eos": True, "top_k": -1}


@pytest.mark.parametrize("model", ["sample", "best-of-n", "darwin"])
async def test_what_was_asked_is_stored_and_shown(client: openai.OpenAI, store: Store, model: str) -> None:
    raws: list[Any] = [
        await asyncio.to_thread(
            client.chat.completions.with_raw_response.create, model=model, messages=MESSAGES, **GIVEN, extra_body=VLLMS
        ),
        await asyncio.to_thread(
            client.completions.with_raw_response.create, model=model, prompt="Once", **GIVEN, extra_body=VLLMS
        ),
        await asyncio.to_thread(client.chat.completions.with_raw_response.create, model=model, messages=MESSAGES),
    ]
    records = [await store.load(raw.headers["x-darwin-evolution-id"]) for raw in raws]
    plain = records[2].request.sampling
    wanted = VLLMS | GIVEN | {"logit_bias": {42: -100.0}, "top_k": 0}
    for record in records[:2]:
        sampling = record.request.sampling
        assert sampling == replace(plain, max_tokens=sampling.max_tokens, **wanted)
        assert not [warning for warning in record.request.warnings if "taken without effect" in warning]
    shown: list[Any] = [
        await asyncio.to_thread(client.get, f"/evolutions/{record.id}", cast_to=object) for record in records[1:]
    ]
    settings = shown[0]["settings"]
    assert {name: settings[name] for name in wanted} == wanted | {"logit_bias": {"42": -100.0}}
    assert not shown[1]["settings"].keys() & (wanted.keys() - {"top_k"})
