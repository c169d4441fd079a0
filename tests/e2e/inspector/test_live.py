"""An evolution that runs, one that is started from another, and what is taken away as files."""

import json
import re
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import expect
from typer.testing import CliRunner

from cli.client import Client
from cli.main import app
from cli.stack import Stack
from shared.records.search import declared_settings
from tests.e2e.inspector.visiting import INSTRUCTION, Visit

BODY = {
    "model": "darwin",
    "messages": [{"role": "user", "content": INSTRUCTION}],
    "max_tokens": 80,
    "darwin": {"cycles": 2, "period": 16},
}


def start(stack: Stack, **body: Any) -> str:
    with Client(stack.url) as client:
        return str(client.start(BODY | body)["id"])


def recording(stack: Stack, evolution_id: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{stack.url}/v1/evolutions/{evolution_id}/recording").json()
    return found


def test_a_running_evolution_grows_on_the_page(visit: Visit, slow_stack: Stack) -> None:
    # Long enough for a browser that reads the page's library for the first time.
    evolution_id = start(slow_stack, max_tokens=160, seed=2, darwin={"cycles": 8, "period": 16})
    page = visit.open(evolution_id)
    expect(page.locator(".tiles")).to_contain_text(re.compile("queued|running"))
    expect(page.locator("#news")).to_contain_text(re.compile(r"Round \d+\.\d+ finished, best so far"))
    visit.cell(1, 1, 0).click()
    assert visit.plotted("rewards")
    expect(page.locator(".tiles")).to_contain_text("running")
    columns = page.locator("#population .cell").count()
    expect(page.locator("#population .cell").nth(columns)).to_be_attached()
    expect(page.locator("[data-shown]")).to_have_attribute("data-shown", "1.1.0")
    expect(page.locator(".tiles")).to_contain_text("succeeded", timeout=60_000)
    expect(page.get_by_role("article", name="Evolved response")).to_be_visible()
    rounds = recording(slow_stack, evolution_id)["result"]["rounds"]
    assert page.locator("#population thead th", has_text=re.compile(r"\d\.\d")).count() == rounds
    assert sum(url.endswith("/events") for url in visit.requests) == 1


def test_a_stream_that_breaks_off_is_resumed_after_its_last_event(visit: Visit, slow_stack: Stack) -> None:
    evolution_id = start(slow_stack)
    after = []

    def broken(route: Any) -> None:
        after.append(route.request.headers.get("last-event-id"))
        if len(after) > 2:
            route.continue_()
        elif len(after) == 2:
            route.abort()
        else:
            body = 'id: 1-0\nevent: evolution.accepted\ndata: {"type": "evolution.accepted", "method": "darwin"}\n\n'
            route.fulfill(status=200, headers={"content-type": "text/event-stream"}, body=body)

    visit.page.route("**/events", broken)
    page = visit.open(evolution_id)
    expect(page.locator(".tiles")).to_contain_text("succeeded", timeout=20_000)
    assert after[:3] == [None, "1-0", "1-0"]
    visit.complaints = [told for told in visit.complaints if "net::ERR_FAILED" not in told]


def test_a_running_evolution_can_be_cancelled(visit: Visit, slow_stack: Stack) -> None:
    # Simulated answers end by chance: several cycles of them last longer than a page takes to open.
    page = visit.open(start(slow_stack, max_tokens=400, darwin={"cycles": 8, "period": 16}))
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".tiles")).to_contain_text("cancelled")
    expect(page.get_by_role("button", name="Cancel")).to_be_hidden()


def test_an_evolution_is_run_again_with_other_settings(
    visit: Visit, slow_stack: Stack, evolved: dict[str, Any]
) -> None:
    visit.expected = {400}
    page = visit.open(evolved["id"])
    page.get_by_role("button", name="Run again with…").click()
    form = page.get_by_role("dialog")
    expect(form.get_by_label("instruction")).to_have_value(INSTRUCTION)
    expect(form.get_by_label("seed")).to_have_value("6")
    expect(form.get_by_label("period")).to_have_value("16")
    for setting in declared_settings():
        expect(form.locator(f'[name="{setting.name}"]')).to_have_count(1)
    form.get_by_label("survivors").fill("5")
    form.get_by_role("button", name="Start").click()
    expect(form.get_by_role("alert")).to_contain_text("darwin.survivors (5) must be less than darwin.mutants (5)")
    expect(form.get_by_label("survivors")).to_be_focused()
    form.get_by_label("survivors").fill("1")
    form.get_by_label("cycles").fill("1")
    form.get_by_label("max tokens").fill("16")
    form.get_by_label("instruction").fill("Name a colour.")
    form.get_by_role("button", name="Start").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Name a colour.")
    expect(page.locator(".tiles")).to_contain_text("succeeded")
    again = recording(slow_stack, page.url.rpartition("/")[2].partition("?")[0])
    assert again["messages"] == [evolved["messages"][0], {"role": "user", "content": "Name a colour."}]
    changed = {"survivors": 1, "cycles": 1, "max_tokens": 16}
    assert again["settings"] == evolved["settings"] | changed


def test_what_an_evolution_was_asked_for_is_asked_for_again(visit: Visit, slow_stack: Stack) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}, "required": ["city"]}
    tool = {"name": "weather", "description": "Tells the weather.", "parameters": schema}
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
    asked = start(
        slow_stack,
        messages=[
            {"role": "user", "content": "How is Rome?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "content": "Rain.", "tool_call_id": "call_1"},
            {"role": "user", "content": INSTRUCTION},
        ],
        tools=[{"type": "function", "function": tool}],
        tool_choice="auto",
        response_format={"type": "json_schema", "json_schema": {"name": "place", "schema": schema}},
        chat_template_kwargs={"enable_thinking": False},
        frequency_penalty=0.5,
        logprobs=True,
        top_logprobs=1,
        seed=3,
        darwin={"cycles": 1, "period": 16},
    )
    page = visit.open(asked)
    expect(page.locator(".tiles")).to_contain_text("succeeded", timeout=60_000)
    page.get_by_role("button", name="Run again with…").click()
    page.get_by_role("button", name="Start").press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    again = page.url.rpartition("/")[2].partition("?")[0]
    assert again != asked
    before, after = recording(slow_stack, asked), recording(slow_stack, again)
    before["settings"]["format"]["field"] = "structured_outputs.json"
    for part in ("messages", "settings", "tools", "parallel_tool_calls"):
        assert after.get(part) == before.get(part), part


def test_recording_and_pairs_are_downloaded(visit: Visit, evolved: dict[str, Any], tmp_path: Path) -> None:
    page = visit.open(evolved["id"])

    def downloaded(name: str) -> Path:
        with page.expect_download() as download:
            page.get_by_role("button", name=name).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        return path

    file = downloaded("Recording")
    assert (file.name, json.loads(file.read_text())) == (f"{evolved['id']}.json", evolved)
    exported = CliRunner().invoke(app, ["export", "--from", str(file), "--out", str(tmp_path / "exported.jsonl")])
    assert exported.exit_code == 0, exported.output
    for kind in ("whole", "steps"):
        pairs = downloaded(f"Pairs: {kind}")
        assert pairs.read_text() == (tmp_path / f"exported.{kind}.jsonl").read_text() != ""


def test_what_has_no_pairs_says_so(visit: Visit, others: dict[str, str]) -> None:
    page = visit.open(others["sample"])
    page.get_by_role("button", name="Pairs: steps").click()
    expect(page.get_by_role("alert")).to_contain_text("no such pair")
