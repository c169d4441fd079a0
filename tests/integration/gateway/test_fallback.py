"""What callers read where the base response is the answer although another one came first."""

import json

import httpx

from tests.integration.gateway.running import MESSAGES

BODY = {"model": "darwin", "messages": MESSAGES, "user": "fallback=reward_abstained"}


async def test_every_answer_says_it(http: httpx.AsyncClient) -> None:
    chat = await http.post("/v1/chat/completions", json=BODY)
    told = chat.json()["darwin"]
    assert told["fallback"] == "reward_abstained"
    kept = (await http.get(f"/v1/evolutions/{told['evolution_id']}")).json()
    assert kept["result"]["fallback"] == "reward_abstained"
    response = await http.post("/v1/responses", json={"model": "darwin", "input": "Hi", "user": BODY["user"]})
    assert response.json()["darwin"]["fallback"] == "reward_abstained"
    streamed = (await http.post("/v1/chat/completions", json=BODY | {"stream": True})).text
    chunks = [json.loads(line.removeprefix("data: ")) for line in streamed.splitlines() if line.startswith("data: {")]
    [finish] = [chunk for chunk in chunks if chunk["choices"][0]["finish_reason"]]
    assert finish["darwin"]["fallback"] == "reward_abstained"


async def test_an_answer_that_came_first_says_nothing_of_it(http: httpx.AsyncClient) -> None:
    chat = await http.post("/v1/chat/completions", json=BODY | {"user": "nobody"})
    assert "fallback" not in chat.json()["darwin"]
