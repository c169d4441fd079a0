"""Batches that are driven against a worker: their files, their order of life, and drivers that die."""

import asyncio
import json
from typing import Any

import pytest

from shared.store.api_keys import new_key
from tests.integration.gateway.drivers.driving import CHAT, Driving, line, line_of
from tests.integration.gateway.fake_orchestrator import INSIDE, FakeOrchestrator


async def test_every_line_is_answered(driving: Driving) -> None:
    models = ("sample", "best-of-n", "darwin")
    lines = [line(model, model=model) for model in models] + [
        line("wrong", temperature=9),
        line("stream", stream=True),
        line("fails", user="fail=Unavailable"),
        "",
    ]
    done = await driving.until(driving.driver(), await driving.batch(lines))
    assert (done.status, done.total, done.completed, done.failed) == ("completed", 6, 3, 3)
    assert done.output_ready
    assert done.error_ready
    outputs = {each["custom_id"]: each for each in await driving.read(done.output_file_id)}
    assert set(outputs) == set(models)
    for model, output in outputs.items():
        assert set(output) == {"id", "custom_id", "response", "error"}
        assert output["response"]["status_code"] == 200
        assert output["response"]["body"]["object"] == "chat.completion"
        assert output["response"]["body"]["model"] == model
    errors = {each["custom_id"]: each["response"] for each in await driving.read(done.error_file_id)}
    assert {name: each["status_code"] for name, each in errors.items()} == {"wrong": 400, "stream": 400, "fails": 503}
    assert errors["wrong"]["body"]["error"]["param"] == "temperature"
    assert INSIDE not in json.dumps(errors["fails"])
    assert "away" in errors["fails"]["body"]["error"]["message"]
    assert (await driving.files.load(done.output_file_id, "")).purpose == "batch_output"


@pytest.mark.parametrize(
    ("url", "asked", "kind"),
    [("/v1/completions", "prompt", "text_completion"), ("/v1/responses", "input", "response")],
)
async def test_lines_of_other_routes(driving: Driving, url: str, asked: str, kind: str) -> None:
    bodies: dict[str, dict[str, Any]] = {
        **{model: {"model": model, asked: "Why?"} for model in ("sample", "best-of-n", "darwin")},
        "unknown": {"model": "sample", asked: "Why?", "surprise": 1},
        "full": {"model": "sample", asked: "Why?", "user": "full"},
    }
    lines = [line_of(url, name, body) for name, body in bodies.items()]
    done = await driving.until(driving.driver(), await driving.batch(lines, url=url))
    assert (done.status, done.completed, done.failed) == ("completed", 3, 2)
    outputs = await driving.read(done.output_file_id)
    assert {each["response"]["body"]["object"] for each in outputs} == {kind}
    assert {each["custom_id"] for each in outputs} == {"sample", "best-of-n", "darwin"}
    errors = {each["custom_id"]: each["response"]["body"]["error"] for each in await driving.read(done.error_file_id)}
    assert (errors["unknown"]["param"], errors["full"]["param"]) == ("surprise", asked)


async def test_a_line_has_one_prompt(driving: Driving) -> None:
    url = "/v1/completions"
    lines = [line_of(url, "a", {"model": "sample", "prompt": ["one", "two"]})]
    done = await driving.until(driving.driver(), await driving.batch(lines, url=url))
    (error,) = await driving.read(done.error_file_id)
    assert (error["response"]["status_code"], error["response"]["body"]["error"]["param"]) == (400, "prompt")


async def test_a_name_that_is_no_text_is_kept(driving: Driving) -> None:
    names = ["é", "half \ud83d"]
    done = await driving.until(driving.driver(), await driving.batch([line(name) for name in names]))
    assert sorted(each["custom_id"] for each in await driving.read(done.output_file_id)) == sorted(names)


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        ([line("a"), "{"], "invalid_json_line", 2),
        ([line("a"), line("a")], "duplicate_custom_id", 2),
        ([line("a").replace(CHAT, "/v1/embeddings")], "mismatched_url", 1),
        ([line("a").replace("POST", "GET")], "invalid_method", 1),
        ([line("a"), "", line("b")], "invalid_json_line", 2),
        ([], "empty_file", None),
        ([line(str(number)) for number in range(9)], "too_many_tasks", None),
    ],
)
async def test_a_batch_that_is_not_valid_fails(
    driving: Driving, lines: list[str], code: str, number: int | None
) -> None:
    done = await driving.until(driving.driver(lines=8), await driving.batch(lines))
    assert (done.status, done.errors[0]["code"], done.errors[0]["line"]) == ("failed", code, number)
    assert not done.output_ready


async def test_cancelled_with_partial_results(driving: Driving) -> None:
    driver = driving.driver(running=2)
    lines = [line("a"), line("b", user="hang"), *(line(str(number), user="hang") for number in range(3))]
    made = await driving.batch(lines)
    for _ in range(200):
        await driver.step()
        if (await driving.batches.load(made.id, "")).completed:
            break
        await asyncio.sleep(0.03)
    await driving.batches.end(made.id, "cancelled")
    done = await driving.until(driver, made)
    assert (done.status, done.completed, done.failed) == ("cancelled", 1, 4)
    assert [each["custom_id"] for each in await driving.read(done.output_file_id)] == ["a"]
    errors = await driving.read(done.error_file_id)
    assert {each["error"]["code"] for each in errors} == {"batch_cancelled"}
    assert len(errors) == 4


async def test_expired(driving: Driving) -> None:
    made = await driving.batch([line("a", user="hang"), line("b")], lasts_s=0.3)
    done = await driving.until(driving.driver(running=1), made)
    assert (done.status, done.failed) == ("expired", 2)
    assert {each["error"]["code"] for each in await driving.read(done.error_file_id)} == {"batch_expired"}


async def test_another_driver_goes_on_without_repeating(
    driving: Driving, orchestrator: FakeOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gateway.batches.driver._LEASE_S", 0.3)
    made = await driving.batch([line(str(number), user="wait=0.1") for number in range(12)])
    for _ in range(6):
        first = driving.driver(running=3)
        working = asyncio.ensure_future(first.step())
        await asyncio.sleep(0.01)
        working.cancel()
        await asyncio.sleep(0.35)
    done = await driving.until(driving.driver(running=3), made)
    assert (done.status, done.completed, done.failed) == ("completed", 12, 0)
    assert len(await driving.read(done.output_file_id)) == 12
    begun = [message for message in orchestrator.messages if message == (made.evolution_id(0), 0)]
    assert len(begun) == 1


async def test_a_full_limit_makes_lines_wait(driving: Driving) -> None:
    _, key = new_key("acme", max_active=1)
    await driving.keys.add(key)
    made = await driving.batch([line(str(n), user="wait=0.05") for n in range(6)], key_id=key.id)
    done = await driving.until(driving.driver(), made)
    assert (done.status, done.completed) == ("completed", 6)


async def test_used_up_tokens_make_lines_wait(driving: Driving) -> None:
    _, key = new_key("acme", tokens_per_day=100)
    await driving.keys.add(key)
    made = await driving.batch([line(str(number)) for number in range(20)], key_id=key.id)
    driver = driving.driver(running=2)
    now = await driving.until_waits(driver, made, 1)
    assert now.status == "in_progress"
    assert 0 < now.completed < 20
    assert now.failed == 0
    await driving.batches.end(made.id, "cancelled")
    await driving.until(driver, made)


async def test_lines_that_wait_take_no_room_from_other_batches(driving: Driving) -> None:
    _, key = new_key("acme", tokens_per_day=1)
    await driving.keys.add(key)
    waits = await driving.batch([line(str(number)) for number in range(4)], key_id=key.id)
    driver = driving.driver(running=2)
    await driving.until(driver, await driving.batch([line(str(number)) for number in range(4)]))
    now = await driving.batches.load(waits.id, "acme")
    assert (now.status, now.completed, now.next) == ("in_progress", 1, 1)
    await driving.batches.end(waits.id, "cancelled")
    assert (await driving.until(driver, waits)).failed == 3


async def test_a_batch_that_cannot_be_read_holds_up_no_other(driving: Driving) -> None:
    broken = await driving.batch([line("a")])
    await driving.batches._redis.hset(f"darwin:batch:{broken.id}", "body", "{")
    done = await driving.until(driving.driver(), await driving.batch([line("a")]))
    assert done.status == "completed"
    for listed in ("darwin:batch-open", "darwin:batches:"):
        await driving.batches._redis.zrem(listed, broken.id)
