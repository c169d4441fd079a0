"""What callers read where the base response is the answer although another came first, or where answers are missing."""

import json
from typing import Any

import httpx
import pytest

from tests.integration.gateway.running import MESSAGES

BODY = {"model": "darwin", "messages": MESSAGES}


@pytest.mark.parametrize(
    ("user", "field", "value"),
    [("fallback=reward_abstained", "fallback", "reward_abstained"), ("withheld=brief", "wishes_withheld", ["brief"])],
)
async def test_every_answer_says_it(http: httpx.AsyncClient, user: str, field: str, value: Any) -> None:
    body = BODY | {"user": user}
    chat = await http.post("/v1/chat/completions", json=body)
    told = chat.json()["darwin"]
    assert told[field] == value
    kept = (await http.get(f"/v1/evolutions/{told['evolution_id']}")).json()
    assert kept["result"][field] == value
    response = await http.post("/v1/responses", json={"model": "darwin", "input": "Hi", "user": user})
    assert response.json()["darwin"][field] == value
    streamed = (await http.post("/v1/chat/completions", json=body | {"stream": True})).text
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: {")]
    [finish] = [chunk for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert finish["darwin"][field] == value


async def test_an_answer_that_came_first_says_nothing_of_it(http: httpx.AsyncClient) -> None:
    chat = await http.post("/v1/chat/completions", json=BODY | {"user": "nobody"})
    assert not {"fallback", "wishes_withheld"} & chat.json()["darwin"].keys()


async def test_fewer_answers_than_were_asked_for_are_named_where_the_search_dropped_some(
    http: httpx.AsyncClient,
) -> None:
    body = {"model": "darwin", "messages": MESSAGES, "user": "n=2", "darwin": {"shrink": 0.5}}
    few = (await http.post("/v1/chat/completions", json=body | {"n": 3})).json()
    assert len(few["choices"]) == 2
    assert few["darwin"]["warnings"] == ["darwin.shrink dropped candidates, so that there are 2 answers and not 3"]
    enough = (await http.post("/v1/chat/completions", json=body | {"n": 2})).json()
    assert enough["darwin"]["warnings"] == []
