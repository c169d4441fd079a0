"""Keys and tenants, hostile texts, traces, lost workers, dark mode."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from cli.stack import Stack
from shared.records.attempts import Attempt, Call, LostAttempt, StatePart
from shared.records.events import BaseScored, CycleStarted, Ended, Event, MutantAccepted, RoundFinished
from shared.records.evolution import EvolutionRequest, Message, Record, Sampling, TraceContext
from shared.records.search import Search
from shared.store.api_keys import ApiKeys, new_key
from shared.store.evolutions import Store
from tests.e2e.inspector.visiting import Visit, made
from tests.integration.gateway.running import Gateway

HOSTILE = '<script>window.hacked = 1</script><img src=x onerror="window.hacked = 1"> <a href="javascript:1">x</a>'
NOW = time.time()


def store(stack: Stack, record: Record, events: list[Event], *attempts: Attempt) -> str:
    """An evolution as if it had run and ended; the last attempt ended it."""

    async def save() -> None:
        store = Store(stack.redis_url, ttl_s=600)
        await store.create(record)
        for attempt in attempts[:-1]:
            await store.save(replace(record, version=attempt.version, status="running"), [], attempt=attempt)
        last = attempts[-1] if attempts else None
        version, finished_at = last.version if last else 1, record.created_at + 9
        ended = replace(record, version=version, status="succeeded", finished_at=finished_at)
        await store.save(ended, [*events, Ended("succeeded")], attempt=last)
        await store.close()

    made(save)
    return record.id


def record(name: str, instruction: str = "Why?", tenant: str = "") -> Record:
    request = EvolutionRequest("darwin", (Message("user", instruction),), Sampling(64), Search(), 1, tenant=tenant)
    return Record(f"evo_{name}", 0, "queued", NOW, request)


def test_hostile_texts_stay_texts(visit: Visit, slow_stack: Stack) -> None:
    events: list[Event] = [
        BaseScored(HOSTILE, 0.1, 3),
        CycleStarted(1, HOSTILE),
        *(MutantAccepted(1, state, f"{HOSTILE} {state}", "<b>op</b>", "model") for state in range(2)),
        RoundFinished(1, 1, (HOSTILE, HOSTILE + "!"), (0.5, 0.25), (0,), (), (True, True), 8),
    ]
    evolution_id = store(slow_stack, record("hostile", HOSTILE), events)
    page = visit.open()
    expect(page.locator(f'tr[data-id="{evolution_id}"]')).to_contain_text("<script>window.hacked")
    visit.open(evolution_id)
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    visit.cell(1, 1, 1).click()
    assert page.locator(".state .written .piece").evaluate("piece => piece.lastChild.textContent") == HOSTILE + "!"
    for section in ("rewards", "archive", "waterfall"):
        visit.plotted(section)
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert page.locator("main script, main img, main a[href^='javascript']").count() == 0
    assert "<b>op</b>" in page.locator("#archive .plot").inner_text()


def test_a_trace_is_linked_to_its_viewer(visit: Visit, slow_stack: Stack) -> None:
    traced = replace(record("traced"), trace=TraceContext("ab" * 16, "cd" * 8, True))
    page = visit.open(store(slow_stack, traced, []))
    link = page.locator("#trace")
    expect(link).to_have_text("ab" * 16)
    expect(link).to_have_attribute("href", f"http://traces.example/t/{'ab' * 16}")
    expect(link).to_have_attribute("rel", "noopener noreferrer")


def test_a_lost_worker_is_seen_in_the_waterfall(visit: Visit, slow_stack: Stack) -> None:
    under_way = (
        Call("generation", "3" * 16, 1, 1, NOW + 0.2, NOW + 1, (StatePart(0, NOW + 1, tokens=5),), 5, goes_on=True),
        Call("generation", "4" * 16, 1, 1, NOW + 0.2, NOW + 1, goes_on=True),
    )
    saved = Attempt("d" * 32, 1, 1, 1, NOW, NOW + 1, calls=under_way)
    calls = (
        Call("generation", "4" * 16, 1, 1, NOW + 6, NOW + 6.5),
        Call("generation", "1" * 16, 1, 1, NOW + 6, NOW + 7, (StatePart(0, NOW + 7, tokens=8),), tokens=8),
        Call("reward", "2" * 16, 1, 1, NOW + 7, NOW + 7.5, error="Unavailable"),
    )
    lost = (LostAttempt("f" * 32, NOW + 1),)
    attempt = Attempt("e" * 32, 2, 1, 1, NOW + 6, NOW + 8, calls=calls, lost=lost)
    page = visit.open(store(slow_stack, record("lost"), [], saved, attempt))
    traces = {trace["name"]: trace for trace in visit.plotted("waterfall")}
    gone = traces["lost attempt"]
    assert (gone["base"], gone["x"]) == (pytest.approx([1], abs=0.01), pytest.approx([5], abs=0.01))
    assert gone["marker"]["pattern"]["shape"] == "/"
    page.get_by_text("Every call as a table").click()
    rows = page.locator("#waterfall tbody tr").all_inner_texts()
    assert len(rows) == 6
    assert ["worker lost" in row for row in rows] == [True, False, True, False, False, False]
    assert ["goes on" in row for row in rows] == [False, True, False, False, False, False]
    assert "Unavailable" in rows[5]


def test_dark_mode_reaches_page_and_plots(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    visit.plotted("rewards")
    look = """() => [
      getComputedStyle(document.body).backgroundColor,
      getComputedStyle(document.querySelector("#rewards .xtick text")).fill,
    ]"""
    light = page.evaluate(look)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(17, 22, 29)")
    expect(page.locator("#rewards .xtick text").first).to_have_css("fill", "rgb(228, 233, 240)")
    assert light == ["rgb(245, 246, 248)", "rgb(27, 36, 48)"]


@pytest.fixture(scope="module")
def keys(slow_stack: Stack) -> dict[str, str]:
    """Texts of keys, by what they are for."""
    found = {"acme": new_key("acme"), "operator": new_key("operators", all_tenants=True)}

    async def add() -> None:
        keys = ApiKeys(slow_stack.redis_url)
        for _, key in found.values():
            await keys.add(key)
        await keys.close()

    made(add)
    return {name: text for name, (text, _) in found.items()}


def test_a_key_is_asked_for_kept_in_the_tab_and_walls_stand(
    visit: Visit, slow_stack: Stack, guarded: Gateway, keys: dict[str, str]
) -> None:
    mine = store(slow_stack, record("mine", "Mine?", "acme"), [])
    theirs = store(slow_stack, record("theirs", "Theirs?", "other"), [])
    visit.url, visit.origins, visit.expected = guarded.url, (f"{guarded.url}/",), {401, 404}
    page = visit.open()
    field = page.get_by_label("Key", exact=True)
    expect(page.get_by_role("heading", level=1)).to_have_text("API key")
    assert field.get_attribute("type") == "password"
    field.fill(keys["acme"][:-1] + "x")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("unknown or revoked")
    page.get_by_label("Key", exact=True).fill(keys["acme"])
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(f'tr[data-id="{mine}"]')).to_be_visible()
    assert page.locator(f'tr[data-id="{theirs}"]').count() == 0
    assert page.get_by_label("Tenant").count() == 0
    page.goto(f"{guarded.url}/#/{theirs}")
    expect(page.get_by_role("alert")).to_contain_text(f"no evolution {theirs}")
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 1, ""]
    assert not any(keys["acme"] in url for url in visit.requests)
    page.get_by_role("button", name="Forget key").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("API key")
    page.get_by_label("Key", exact=True).fill(keys["operator"])
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Theirs?")
    visit.open("?tenant=other")
    expect(page.locator(f'tr[data-id="{theirs}"]')).to_be_visible()
    assert page.locator(f'tr[data-id="{mine}"]').count() == 0


def test_the_page_may_run_nothing_but_its_own_files(visit: Visit, tmp_path: Path) -> None:
    page = visit.open()
    page.evaluate("""() => {
      const script = document.createElement("script");
      script.textContent = "window.hacked = 1";
      document.body.append(script);
    }""")
    assert page.evaluate("window.hacked") is None
    assert any("Content Security Policy" in told for told in visit.complaints)
    visit.complaints.clear()
