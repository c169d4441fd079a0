"""`/v1/responses` through OpenAI's SDK, each body and event of its declared type."""

from typing import Any

import httpx
import openai
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from shared.store.api_keys import ApiKeys
from tests.integration.gateway.running import Gateway, new_caller

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
METHODS = ["sample", "best-of-n", "darwin"]


def strictly(body: bytes | str) -> Response:
    return Response.model_validate_json(body, strict=True)


@pytest.mark.parametrize("model", METHODS)
def test_answers(client: openai.OpenAI, model: str) -> None:
    raw = client.responses.with_raw_response.create(model=model, input="Why?", instructions="Be brief.", temperature=0)
    answer = strictly(raw.content)
    assert answer.id == "resp_" + raw.headers["x-darwin-evolution-id"].removeprefix("evo_")
    assert (answer.status, answer.output_text, answer.instructions) == ("completed", "answer 0", "Be brief.")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (21, 10, 31)
    assert answer.usage.input_tokens_details.cached_tokens == 15
    assert (answer.usage.model_extra or {})["darwin"]["method"] == model
    assert client.responses.retrieve(answer.id).output == raw.parse().output


@pytest.mark.parametrize("model", METHODS)
async def test_streams_events_in_order(http: httpx.AsyncClient, model: str) -> None:
    body = {"model": model, "input": "Why?", "stream": True, "user": "text=One two three four five six."}
    found = _events((await http.post("/v1/responses", json=body)).text)
    types = [event.type for event in found]
    deltas = [event.delta for event in found if event.type == "response.output_text.delta"]
    assert len(deltas) > 1
    assert "".join(deltas) == "One two three four five six."
    assert [type_ for type_ in types if type_ != "response.output_text.delta"] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event.sequence_number for event in found] == list(range(len(found)))
    assert found[-1].response.output[0] == found[-2].item


def _events(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
    return [_EVENT.validate_json(line, strict=True) for line in lines]


@pytest.mark.parametrize("model", METHODS)
def test_goes_on_from_a_response(client: openai.OpenAI, model: str) -> None:
    first = client.responses.create(model=model, input="Why?", instructions="Be brief.")
    second = client.responses.create(
        model=model,
        input=[{"role": "user", "content": "And?"}],
        previous_response_id=first.id,
    )
    evolution = client.get(f"/evolutions/evo_{second.id.removeprefix('resp_')}", cast_to=httpx.Response).json()
    assert evolution["messages"] == [
        {"role": "user", "content": "Why?"},
        {"role": "assistant", "content": "answer 0"},
        {"role": "user", "content": "And?"},
    ]
    items = client.responses.input_items.list(second.id).data
    assert [item.content[0].text for item in items] == ["And?"]  # type: ignore[union-attr]


def test_takes_answers_back(client: openai.OpenAI) -> None:
    first = client.responses.create(model="sample", input="Why?")
    given = first.output[0].model_dump(exclude_none=True)
    reference = {"type": "item_reference", "id": first.output[0].id}
    for earlier in (given, reference):
        again = client.responses.create(
            model="sample",
            input=[{"role": "user", "content": "Why?"}, earlier, {"role": "user", "content": "And?"}],  # type: ignore[list-item]
        )
        items = client.responses.input_items.list(again.id, order="asc").data
        assert [item.content[0].text for item in items] == ["Why?", "answer 0", "And?"]  # type: ignore[union-attr]


@pytest.mark.parametrize("model", METHODS)
def test_background_is_polled_resumed_and_cancelled(client: openai.OpenAI, model: str) -> None:
    begun = client.responses.create(model=model, input="Why?", background=True, user="wait=0.5")
    assert begun.status in ("queued", "in_progress")
    whole = list(client.responses.retrieve(begun.id, stream=True))
    assert whole[1].type == "response.queued"
    resumed = list(client.responses.retrieve(begun.id, stream=True, starting_after=3))
    assert resumed == whole[4:]
    assert client.responses.retrieve(begun.id).status == "completed"

    hanging = client.responses.create(model=model, input="Why?", background=True, user="hang")
    client.responses.cancel(hanging.id)
    list(client.responses.retrieve(hanging.id, stream=True))
    assert client.responses.retrieve(hanging.id).status == "cancelled"


def test_only_background_is_cancelled(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="sample", input="Why?")
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.cancel(answer.id)


def test_failures(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError, match="failed unexpectedly"):
        client.responses.create(model="sample", input="Why?", user="fail=Internal")
    begun = client.responses.create(model="sample", input="Why?", background=True, user="fail=Unavailable")
    last = list(client.responses.retrieve(begun.id, stream=True))[-1]
    assert last.type == "response.failed"
    assert last.response.error is not None
    assert (last.response.status, last.response.error.code) == ("failed", "server_error")


def test_what_is_not_stored_is_not_read_back(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="sample", input="Why?", store=False)
    assert "store: false" in (answer.model_extra or {})["darwin"]["warnings"][0]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)
    with pytest.raises(openai.NotFoundError, match="Previous response") as refused:
        client.responses.create(model="sample", input="And?", previous_response_id=answer.id)
    assert refused.value.param == "previous_response_id"


async def test_another_tenants_response_is_unknown(guarded: Gateway, keys: ApiKeys) -> None:
    mine, other = await new_caller(keys, guarded, "acme"), await new_caller(keys, guarded, "rival")
    answer = (await mine.post("/v1/responses", json={"model": "sample", "input": "Why?"})).json()
    assert (await mine.get(f"/v1/responses/{answer['id']}")).status_code == 200
    assert (await other.get(f"/v1/responses/{answer['id']}")).status_code == 404
    body = {"model": "sample", "input": "And?", "previous_response_id": answer["id"]}
    assert (await other.post("/v1/responses", json=body)).status_code == 404
    reference = {"type": "item_reference", "id": answer["output"][0]["id"]}
    body = {"model": "sample", "input": [reference, {"role": "user", "content": "And?"}]}
    assert (await other.post("/v1/responses", json=body)).status_code == 404


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": " "}, "input.0"),
        ({"input": [{"role": "assistant", "content": "Because"}]}, "input.0"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_object", "name": "x"}}}, "text.format.name"),
        ({"text": {"format": {"type": "json_schema", "name": "x", "schema": {"a": "b" * 70_000}}}}, "text.format"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "most"}}, "reasoning.effort"),
        ({"background": True, "store": False}, "background"),
        ({"max_output_tokens": 10**6}, "max_output_tokens"),
        ({"previous_response_id": "resp_unknown"}, "previous_response_id"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 21}, "top_logprobs"),
        ({"include": ["file_search_call.results"]}, "include.0"),
        ({"unknown": 1}, "unknown"),
    ],
)
async def test_refuses(http: httpx.AsyncClient, fields: dict[str, Any], param: str) -> None:
    refused = await http.post("/v1/responses", json={"model": "sample", "input": "Why?"} | fields)
    assert refused.status_code == (404 if "previous_response_id" in fields else 400), refused.text
    assert refused.json()["error"]["param"] == param


@pytest.mark.parametrize("model", METHODS)
def test_the_form_of_the_answer(client: openai.OpenAI, model: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    wanted: Any = {"type": "json_schema", "name": "numbers", "schema": schema, "strict": True}
    raw = client.responses.with_raw_response.create(model=model, input="Why?", text={"format": wanted})
    answer = strictly(raw.content)
    assert answer.text is not None
    assert answer.text.format is not None
    assert answer.text.format.model_dump(by_alias=True, exclude_unset=True) == wanted
    evolution = client.get(f"/evolutions/{raw.headers['x-darwin-evolution-id']}", cast_to=httpx.Response).json()
    assert evolution["settings"]["format"]["field"] == "text.format"
    plain = client.responses.create(model=model, input="Why?", text={"format": {"type": "json_object"}})
    assert plain.text is not None
    assert plain.text.format is not None
    assert plain.text.format.type == "json_object"


@pytest.mark.parametrize("model", METHODS)
def test_log_probabilities_are_asked_for_by_include(client: openai.OpenAI, model: str) -> None:
    raw = client.responses.with_raw_response.create(
        model=model, input="Why?", include=["message.output_text.logprobs"], top_logprobs=3
    )
    assert strictly(raw.content).top_logprobs == 3
    evolution = client.get(f"/evolutions/{raw.headers['x-darwin-evolution-id']}", cast_to=httpx.Response).json()
    assert evolution["settings"]["logprobs"] == 3


async def test_items_are_listed_after_a_known_one_only(http: httpx.AsyncClient) -> None:
    answer = (await http.post("/v1/responses", json={"model": "sample", "input": "Why?"})).json()
    refused = await http.get(f"/v1/responses/{answer['id']}/input_items", params={"after": "msg_unknown"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "after")


async def test_a_full_context_is_the_inputs(http: httpx.AsyncClient) -> None:
    body = {"model": "sample", "input": "Why?", "user": "full"}
    refused = await http.post("/v1/responses", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input")
    assert "maximum context length" in refused.json()["error"]["message"]


async def test_a_response_is_deleted_once_it_has_ended(guarded: Gateway, keys: ApiKeys) -> None:
    mine, other = await new_caller(keys, guarded, "acme"), await new_caller(keys, guarded, "rival")
    body, headers = {"model": "sample", "input": "Why?"}, {"idempotency-key": "once"}
    answer = (await mine.post("/v1/responses", json=body, headers=headers)).json()
    path = f"/v1/responses/{answer['id']}"
    assert (await other.delete(path)).status_code == 404
    deleted = await mine.delete(path)
    assert (deleted.status_code, deleted.json()) == (200, {"id": answer["id"], "object": "response", "deleted": True})
    evolution = f"/v1/evolutions/evo_{answer['id'].removeprefix('resp_')}"
    for gone in (path, f"{path}/input_items", evolution, f"{evolution}/events"):
        assert (await mine.get(gone)).status_code == 404, gone
    assert (await mine.delete(path)).status_code == 404
    listed = (await mine.get("/v1/evolutions")).text
    assert answer["id"].removeprefix("resp_") not in listed
    again = (await mine.post("/v1/responses", json=body, headers=headers)).json()
    assert again["id"] != answer["id"]

    running = (await mine.post("/v1/responses", json=body | {"background": True, "user": "hang"})).json()
    path = f"/v1/responses/{running['id']}"
    assert (await mine.delete(path)).status_code == 409
    await mine.post(f"{path}/cancel")
    await mine.get(path, params={"stream": "true"})
    assert (await mine.delete(path)).status_code == 200
