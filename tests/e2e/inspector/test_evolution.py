"""One evolution: rewards, population, archive, answers, budget, waterfall; each as the recording says."""

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from cli.stack import Stack
from tests.e2e.inspector.conftest import evolve
from tests.e2e.inspector.visiting import Visit, of_type


def test_every_state_of_every_round_is_plotted_with_its_fate(visit: Visit, evolved: dict[str, Any]) -> None:
    visit.open(evolved["id"])
    traces = visit.plotted("rewards")
    points = {
        (point["cycle"], point["round"], point["state"]): (reward, trace["marker"]["symbol"])
        for trace in traces
        for point, reward in zip(trace.get("customdata", ()), trace["y"], strict=False)
    }
    for event in of_type(evolved, "round.finished"):
        replaced = {item["state"] for item in event["replacements"]}
        for state, reward in enumerate(event["rewards"]):
            survives = state in event["survivors"]
            symbol = "circle" if survives else "x-thin-open" if state in replaced else "circle-open"
            assert points[event["cycle"], event["round"], state] == (reward, symbol)
    assert len(points) == sum(len(event["rewards"]) for event in of_type(evolved, "round.finished"))
    taken = [trace for trace in traces if trace.get("line", {}).get("dash") == "dot"]
    goes_on = [
        item
        for event, later in zip(
            of_type(evolved, "round.finished"), of_type(evolved, "round.finished")[1:], strict=False
        )
        for item in event["replacements"]
        if later["cycle"] == event["cycle"]
    ]
    assert sum(len(trace["x"]) for trace in taken) == 3 * len(goes_on) > 0


def test_a_state_shows_its_text_by_who_wrote_it(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    first, second = [event for event in of_type(evolved, "round.finished") if event["cycle"] == 1][:2]
    taken = [(item["state"], item["donor"]) for item in first["replacements"]]
    # One that goes on with what it took.
    state, donor = next((s, d) for s, d in taken if second["texts"][s] != first["texts"][d])
    visit.cell(1, 1, state).click()
    card = page.locator("[data-shown]")
    expect(card).to_have_attribute("data-shown", f"1.1.{state}")
    mutant = next(event for event in of_type(evolved, "mutant.accepted") if event["state"] == state)
    assert card.locator(".mutant").text_content() == mutant["text"]
    expect(card).to_contain_text(f"takes {donor}")
    assert pieces(visit, ".state > .written") == [(str(state), first["texts"][state])]
    assert pieces(visit, ".replacement .written") == [(str(donor), first["texts"][donor])]
    visit.cell(1, 2, state).click()
    expect(card).to_have_attribute("data-shown", f"1.2.{state}")
    own = second["texts"][state].removeprefix(first["texts"][donor])
    assert pieces(visit, ".state > .written") == [(str(donor), first["texts"][donor]), (str(state), own)]
    colours = page.locator(".state > .written .piece").evaluate_all(
        "pieces => pieces.map(piece => getComputedStyle(piece).borderBottomColor)"
    )
    assert len(set(colours)) == 2
    assert f"?at=1.2.{state}" in page.url


def test_what_a_further_cycle_promised_stands_below_each_but_the_last(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    promised = [event["outlook"] for event in of_type(evolved, "cycle.finished")]
    told = page.locator("#population .outlook").all_text_contents()
    assert len(told) == len(promised) - 1
    for text, outlook in zip(told, promised, strict=False):
        assert f"expected to gain +{outlook['gain']:.3f}" in text
        assert text.endswith("cost 0.000: the search went on.")


def test_who_was_preferred_to_whom_is_a_matrix_where_it_was_compared(visit: Visit, evolved: dict[str, Any]) -> None:
    def scored(final: bool, responses: list[list[int]]) -> dict[str, Any]:
        compared = [("fair", 0, 1, 0.8), ("fair", 2, 1, 0.25)]
        comparisons = [
            dict(zip(("component", "first", "second", "preference"), each, strict=True)) for each in compared
        ]
        at = {"type": "population.scored", "cycle": 1, "round": 2, "final": final, "rewards": [1.0, 0.0, 0.5]}
        return {**at, "responses": responses, "comparisons": comparisons}

    told = [scored(False, [[1, 0], [1, 1], [1, 2]]), scored(True, [[1, -1], [1, 0], [1, 1]])]
    events = list(evolved["events"])
    last = next(n for n, event in enumerate(events) if event["type"] == "cycle.finished")
    recording = evolved | {"events": [*events[:last], *told, *events[last:]]}
    visit.page.route("**/recording", lambda route: route.fulfill(json=recording))
    page = visit.open(evolved["id"])
    visit.cell(1, 1, 1).click()
    expect(page.locator(".state .comparisons")).to_have_count(0)
    visit.cell(1, 2, 1).click()
    of_round = page.get_by_role("table", name="Round 1.2: preferred by fair, %")
    assert of_round.locator("tbody tr").all_inner_texts() == ["0\t–\t80\t", "1\t20\t–\t75", "2\t\t25\t–"]
    assert of_round.locator("tr.chosen th").all_inner_texts() == ["1"]
    final = page.get_by_role("table", name="All that may answer after cycle 1: preferred by fair, %")
    assert final.locator("thead th").all_inner_texts()[1:] == ["base", "1.0", "1.1"]


def test_wishes_that_mutants_do_not_tell_are_named(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    expect(page.locator(".withheld")).to_be_hidden()
    withheld = {"type": "wishes.withheld", "cycle": 1, "wishes": ["at most two sentences", "<b>plain</b> words"]}
    recording = evolved | {"events": [*evolved["events"][:-1], withheld, evolved["events"][-1]]}
    visit.page.route("**/recording", lambda route: route.fulfill(json=recording))
    page.reload()
    expect(page.locator(".withheld")).to_contain_text("demands otherwise: at most two sentences; <b>plain</b> words")


def pieces(visit: Visit, where: str) -> list[tuple[str, str]]:
    """Who wrote what, of a text that is shown."""
    found = visit.page.locator(f"{where} .piece").evaluate_all(
        "pieces => pieces.map(piece => [piece.dataset.writer, piece.lastChild.textContent])"
    )
    return [(writer, text) for writer, text in found]


def test_seats_that_were_dropped_and_weights_are_shown(visit: Visit, slow_stack: Stack) -> None:
    search = {"mutants": 4, "period": 4, "shrink": 0.5, "selection": "pessimism", "beta": 0.5}
    messages = [{"role": "user", "content": "Say hello, and why."}]
    evolution_id = evolve(slow_stack, messages=messages, max_tokens=12, seed=5, darwin=search)
    recording = httpx.get(f"{slow_stack.url}/v1/evolutions/{evolution_id}/recording").json()
    first, last = of_type(recording, "round.finished")[:2]
    page = visit.open(evolution_id)
    assert len(first["dropped"]) == 2
    for state in range(4):
        mark = visit.cell(1, 1, state).locator(".mark")
        assert ("✕" in (mark.text_content() or "")) == (state in first["dropped"])
        visit.cell(1, 2, state).click()
        expect(page.locator("[data-shown]")).to_contain_text(f"{100 * last['weights'][state]:.1f} %")
    assert {final["state"] for final in recording["result"]["choices"]}.isdisjoint(last["dropped"])


def test_states_are_walked_by_arrow_keys(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(f"{evolved['id']}?at=1.1.0")
    visit.cell(1, 1, 0).focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
    expect(visit.cell(1, 2, 0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-shown]")).to_have_attribute("data-shown", "1.2.0")
    expect(visit.cell(1, 2, 0)).to_be_focused()
    assert page.locator('#population button[tabindex="0"]').count() == 1
    expect(visit.cell(1, 2, 0)).to_have_attribute("aria-pressed", "true")


def test_the_archive_is_a_tree_of_mutants(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    [drawn] = visit.plotted("archive")
    mutants = of_type(evolved, "mutant.accepted")
    ends = {event["cycle"]: event for event in of_type(evolved, "cycle.finished")}
    assert len(drawn["ids"]) == 1 + len(mutants) == 16
    rewards = dict(zip(drawn["ids"], drawn["marker"]["colors"], strict=True))
    for mutant in mutants:
        assert rewards[f"{mutant['cycle']}.{mutant['state']}"] == ends[mutant["cycle"]]["rewards"][mutant["state"]]
    texts = {"0": evolved["messages"][-1]["content"]} | {f"{m['cycle']}.{m['state']}": m["text"] for m in mutants}
    parents = {event["cycle"]: event["parent"] for event in of_type(evolved, "cycle.started")}
    for node, parent in zip(drawn["ids"], drawn["parents"], strict=True):
        assert node == "0" or texts[parent] == parents[int(node.split(".")[0])]
    archived = page.locator(".tree li", has_text="★").evaluate_all("items => items.map(item => item.dataset.node)")
    assert sorted(texts[node] for node in archived) == sorted(e["instruction"] for e in ends[3]["archive"])
    best = evolved["result"]["choices"][0]
    answer = page.locator(".tree li", has_text="✓")
    expect(answer).to_have_attribute("data-node", f"{best['cycle']}.{best['state']}")
    page.locator(".tree li").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".tree li").nth(1)).to_be_focused()


def test_base_and_answer_are_shown_with_their_differences(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    expect(page.locator("#answers ins").first).to_be_attached()
    base, answer = page.locator("#answers .answer .text").all_text_contents()
    result = evolved["result"]
    assert (base, answer) == (result["base"]["text"], result["choices"][0]["text"])
    assert page.locator("#answers .answer").first.locator("del").count() > 0
    changed = page.locator("#answers ins").all_text_contents()
    assert len("".join(changed)) < len(answer)


def test_the_budget_says_what_was_spent(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    tokens = evolved["result"]["tokens"]
    budget = page.locator("#budget")
    expect(budget).to_contain_text(f"{tokens['generated']:,} of 5,000")
    expect(budget.locator("meter")).to_have_attribute("value", str(tokens["generated"]))
    expect(budget.get_by_role("row", name="discarded by replacement")).to_contain_text(f"{tokens['discarded']:,}")


def test_the_waterfall_has_a_bar_for_every_call(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open(evolved["id"])
    traces = {trace["name"]: trace for trace in visit.plotted("waterfall")}
    calls = [call for attempt in evolved["attempts"] for call in attempt["calls"]]
    for stage in ("mutation", "generation", "reward"):
        of_stage = [call for call in calls if call["stage"] == stage]
        assert traces[stage]["x"] == pytest.approx([call["ended_at"] - call["started_at"] for call in of_stage])
        starts = [call["started_at"] - evolved["created_at"] for call in of_stage]
        assert traces[stage]["base"] == pytest.approx(starts)
    assert len(traces["attempt"]["x"]) == len(evolved["attempts"])
    page.get_by_text("Every call as a table").click()
    assert page.locator("#waterfall tbody tr").count() == len(calls)


def test_what_has_no_rounds_is_shown_too(visit: Visit, others: dict[str, str]) -> None:
    page = visit.open(others["sample"])
    expect(page.locator("#population")).to_contain_text("no rounds")
    expect(page.locator("#answers")).to_contain_text(re.compile(r"reward [+−]"))


def test_an_unknown_evolution_is_told(visit: Visit) -> None:
    visit.expected = {404}
    visit.page.goto(f"{visit.url}/#/evo_none")
    expect(visit.page.get_by_role("alert")).to_contain_text("no evolution evo_none")


def test_what_operators_have_earned_is_shown_where_a_search_draws_by_it(
    visit: Visit, slow_stack: Stack, evolved: dict[str, Any]
) -> None:
    body = {"messages": [{"role": "user", "content": "How do I learn to swim?"}], "max_tokens": 8}
    ids = [evolve(slow_stack, **body, darwin={"credit": True, "mutants": 3}) for _ in range(2)]
    page = visit.open(ids[1])
    expect(page.locator("#credit tbody tr").first).to_be_visible()
    shown = page.locator("#credit tbody td:first-child").all_text_contents()
    kept = httpx.get(f"{slow_stack.url}/v1/credit").json()["data"]
    assert set(shown) <= {row["operator"] for row in kept}
    assert sum(row["mutants"] for row in kept) >= 3
    visit.open(evolved["id"])
    expect(page.locator("#budget")).to_be_visible()
    expect(page.locator("#credit")).to_be_hidden()
