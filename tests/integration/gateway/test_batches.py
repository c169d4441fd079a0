"""Files and batches through OpenAI's SDK, with strict checks of every body."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import redis
from openai.types import Batch, FileDeleted, FileObject

from shared.store.api_keys import ApiKeys
from tests.integration.gateway.drivers.driving import CHAT, FINAL, line
from tests.integration.gateway.fake_orchestrator import FakeOrchestrator
from tests.integration.gateway.running import Gateway, new_caller, wait_for


@pytest.fixture(scope="module")
def gateway(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One in a database of its own: a gateway that asks for keys would end batches that were made without."""
    url = redis_url.removesuffix("/9") + "/6"
    with FakeOrchestrator(url), Gateway(url, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def until_ended(client: openai.OpenAI, batch_id: str) -> Batch:
    wait_for(lambda: client.batches.retrieve(batch_id).status in FINAL)
    batch = client.batches.retrieve(batch_id)
    return Batch.model_validate(batch.model_dump(), strict=True)


def upload(client: openai.OpenAI, content: str, **options: Any) -> FileObject:
    file = client.files.create(file=("in.jsonl", content.encode()), purpose="batch", **options)
    return FileObject.model_validate(file.model_dump(), strict=True)


def test_files(client: openai.OpenAI) -> None:
    content = '{"é": 1}\r\n\nlast'
    file = upload(client, content, expires_after={"anchor": "created_at", "seconds": 3600})
    assert (file.bytes, file.filename, file.purpose) == (len(content.encode()), "in.jsonl", "batch")
    assert file.expires_at == file.created_at + 3600
    assert client.files.content(file.id).read() == content.encode()
    assert file.id in [each.id for each in client.files.list(purpose="batch")]
    assert client.files.retrieve(file.id) == file
    deleted = client.files.delete(file.id)
    assert FileDeleted.model_validate(deleted.model_dump(), strict=True).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file.id)


def test_a_batch_from_upload_to_answers(client: openai.OpenAI) -> None:
    lines = [line("a"), line("b", model="darwin"), line("wrong", n=0)]
    file = upload(client, "\n".join(lines) + "\n")
    made = client.batches.create(
        input_file_id=file.id, endpoint=CHAT, completion_window="24h", metadata={"job": "nightly"}
    )
    assert (made.status, made.expires_at) == ("validating", made.created_at + 86_400)
    done = until_ended(client, made.id)
    assert done.request_counts is not None
    assert (done.status, done.request_counts.completed, done.request_counts.failed) == ("completed", 2, 1)
    assert done.metadata == {"job": "nightly"}
    assert done.output_file_id
    assert done.error_file_id
    text = client.files.content(done.output_file_id).text
    assert len(text.encode()) == client.files.retrieve(done.output_file_id).bytes
    assert {json.loads(each)["custom_id"] for each in text.splitlines()} == {"a", "b"}
    (wrong,) = client.files.content(done.error_file_id).text.splitlines()
    assert json.loads(wrong)["response"]["body"]["error"]["param"] == "n"
    assert made.id in [each.id for each in client.batches.list()]


async def test_an_idempotency_key_makes_one_batch(http: httpx.AsyncClient) -> None:
    form: Any = {"data": {"purpose": "batch"}, "files": {"file": line("a").encode()}}
    file_id = (await http.post("/v1/files", **form)).json()["id"]
    body = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
    headers = {"idempotency-key": file_id}
    first, second = [await http.post("/v1/batches", json=body, headers=headers) for _ in range(2)]
    assert first.json()["id"] == second.json()["id"]
    assert [each.headers.get("idempotent-replayed") for each in (first, second)] == [None, "true"]
    other = await http.post("/v1/batches", json=body | {"metadata": {"a": "b"}}, headers=headers)
    assert other.status_code == 409


def test_a_batch_tells_what_its_lines_have_spent_of_its_budget(client: openai.OpenAI) -> None:
    file = upload(client, line("a", model="darwin"))
    budget = {"darwin": {"max_generated_tokens": 500}}
    made = client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h", extra_body=budget)
    done = until_ended(client, made.id)
    assert done.model_extra == {"darwin": {"max_generated_tokens": 500, "cycles": 3, "generated_tokens": 120}}
    with pytest.raises(openai.BadRequestError, match="not searched for"):
        client.batches.create(
            input_file_id=file.id, endpoint="/v1/embeddings", completion_window="24h", extra_body=budget
        )


def test_cancel(client: openai.OpenAI) -> None:
    file = upload(client, line("a", user="hang"))
    made = client.batches.create(input_file_id=file.id, endpoint=CHAT, completion_window="24h")
    wait_for(lambda: client.batches.retrieve(made.id).status == "in_progress")
    assert client.batches.cancel(made.id).status == "cancelling"
    done = until_ended(client, made.id)
    assert (done.status, done.output_file_id) == ("cancelled", None)


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ({"data": {"purpose": "fine-tune"}, "files": {"file": b"x"}}, "purpose"),
        ({"files": {"file": b"x"}}, "purpose"),
        ({"data": {"purpose": "batch"}, "files": {"other": b"x"}}, "other"),
        ({"data": {"purpose": "batch"}, "files": {"file": b""}}, "file"),
        ({"data": {"purpose": "batch"}, "files": {"file": b"\xff"}}, "file"),
        ({"data": {"purpose": "batch", "expires_after[seconds]": "5"}, "files": {"file": b"x"}}, "expires_after"),
        ({"json": {}}, None),
    ],
)
async def test_uploads_that_are_refused(http: httpx.AsyncClient, form: dict[str, Any], param: str | None) -> None:
    async def uploaded() -> set[str]:
        """Not what a batch of another test writes meanwhile."""
        files = (await http.get("/v1/files")).json()["data"]
        return {file["id"] for file in files if file["purpose"] != "batch_output"}

    held = await uploaded()
    refused = await http.post("/v1/files", **form)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    assert await uploaded() == held


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("endpoint", "/v1/images/generations"),
        ("completion_window", "1h"),
        ("input_file_id", "file-none"),
        ("output_expires_after", {"anchor": "created_at", "seconds": 5}),
        ("darwin", {"max_generated_tokens": 0}),
        ("darwin", {"cycles": 2}),
        ("darwin", {"max_generated_tokens": 9, "cycles": 9}),
    ],
)
async def test_batches_that_are_refused(http: httpx.AsyncClient, field: str, value: Any) -> None:
    body = {"input_file_id": "file-none", "endpoint": CHAT, "completion_window": "24h"} | {field: value}
    refused = await http.post("/v1/batches", json=body)
    assert (refused.status_code, refused.json()["error"]["param"].partition(".")[0]) == (400, field)
    print(refused.json()["error"]["message"])
    for path in ("/v1/files", "/v1/batches", "/v1/webhook_endpoints"):
        assert (await http.get(path, params={"surprise": 1})).status_code == 400


async def test_tenants_are_apart(guarded: Gateway, keys: ApiKeys) -> None:
    async with await new_caller(keys, guarded, "mine") as mine, await new_caller(keys, guarded, "other") as other:
        form: Any = {"data": {"purpose": "batch"}, "files": {"file": line("a").encode()}}
        file_id = (await mine.post("/v1/files", **form)).json()["id"]
        batch = {"input_file_id": file_id, "endpoint": CHAT, "completion_window": "24h"}
        made = (await mine.post("/v1/batches", json=batch)).json()["id"]
        for path in (f"/v1/files/{file_id}", f"/v1/files/{file_id}/content", f"/v1/batches/{made}"):
            assert (await mine.get(path)).status_code == 200
            assert (await other.get(path)).status_code == 404
        assert (await other.delete(f"/v1/files/{file_id}")).status_code == 404
        assert [(await other.get(path)).json()["data"] for path in ("/v1/files", "/v1/batches")] == [[], []]
        assert (await other.post("/v1/batches", json=batch)).status_code == 400
        assert (await other.post(f"/v1/batches/{made}/cancel")).status_code == 404


def test_twice_each_limit(redis_url: str, tmp_path: Path) -> None:
    limits = {
        "DARWIN_GATEWAY_MAX_FILE_BYTES": "4000",
        "DARWIN_GATEWAY_MAX_FILES_PER_TENANT": "4",
        "DARWIN_GATEWAY_MAX_BATCHES": "2",
        "DARWIN_GATEWAY_MAX_BATCH_LINES": "10",
    }
    url = redis_url.removesuffix("/9") + "/2"
    with Gateway(url, tmp_path, **limits) as gateway, httpx.Client(base_url=gateway.url) as http:

        def send(text: str) -> httpx.Response:
            return http.post("/v1/files", data={"purpose": "batch"}, files={"file": text.encode()})

        assert send("x" * 8000).status_code == 413
        assert send("x\n" * 20).status_code == 400
        sent = [send(line("a", user="hang")) for _ in range(8)]
        assert [each.status_code for each in sent] == [200] * 4 + [429] * 4
        batch = {"input_file_id": sent[0].json()["id"], "endpoint": CHAT, "completion_window": "24h"}
        made = [http.post("/v1/batches", json=batch).status_code for _ in range(4)]
        assert made == [200, 200, 429, 429]


@pytest.fixture
def own_redis_url(redis_url: str) -> Iterator[str]:
    """A database with a worker that no other gateway's batches or calls reach."""
    url = redis_url.removesuffix("/9") + "/5"
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    with FakeOrchestrator(url):
        yield url


def test_kill_9_in_the_middle(own_redis_url: str, tmp_path: Path) -> None:
    lines = [line(str(number), user="wait=0.3") for number in range(14)]
    (tmp_path / "one").mkdir()
    first = Gateway(own_redis_url, tmp_path / "one")
    with openai.OpenAI(base_url=f"{first.url}/v1", api_key="none") as client:
        made = client.batches.create(
            input_file_id=upload(client, "\n".join(lines)).id, endpoint=CHAT, completion_window="24h"
        )
        wait_for(lambda: client.batches.retrieve(made.id).request_counts.completed >= 3)  # type: ignore[union-attr]
    first.process.kill()
    with redis.Redis.from_url(own_redis_url) as client_of_redis:
        # The lease of the gateway that died would end by itself, somewhat later.
        assert client_of_redis.pexpire(f"darwin:batch:{made.id}:lease", 500)
    (tmp_path / "two").mkdir()
    with (
        Gateway(own_redis_url, tmp_path / "two") as second,
        openai.OpenAI(base_url=f"{second.url}/v1", api_key="none") as client,
    ):
        wait_for(lambda: client.batches.retrieve(made.id).status in FINAL, 60)
        done = client.batches.retrieve(made.id)
        assert done.request_counts is not None
        assert (done.status, done.request_counts.completed) == ("completed", 14)
        assert done.output_file_id
        answers = [json.loads(each) for each in client.files.content(done.output_file_id).text.splitlines()]
    assert sorted(int(each["custom_id"]) for each in answers) == list(range(14))
    assert len({each["response"]["body"]["id"] for each in answers}) == 14
