"""The list: what it shows, how it is filtered, and that it can be shared."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.e2e.inspector.visiting import INSTRUCTION, Visit


def listed(visit: Visit) -> list[str]:
    return visit.page.locator("tbody tr").evaluate_all("rows => rows.map(row => row.dataset.id)")  # type: ignore[no-any-return]


def test_evolutions_are_listed_with_what_they_earned(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open()
    row = page.locator(f'tr[data-id="{evolved["id"]}"]')
    expect(row).to_contain_text(INSTRUCTION)
    expect(row).to_contain_text("darwin")
    expect(row).to_contain_text("succeeded")
    result = evolved["result"]
    gain = result["choices"][0]["reward"] - result["base"]["reward"]
    assert f"{gain:+.3f}".replace("-", "\u2212") in row.inner_text()
    assert f"{result['tokens']['generated']:,}" in row.inner_text()
    row.get_by_role("link", name=INSTRUCTION).press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(INSTRUCTION)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Evolutions")


def test_filters_narrow_the_list_and_stand_in_the_address(
    visit: Visit, evolved: dict[str, Any], others: dict[str, str]
) -> None:
    page = visit.open()
    expect(page.locator(f'tr[data-id="{others["sample"]}"]')).to_be_visible()
    page.get_by_label("Method").select_option("best-of-n")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert listed(visit) == [others["best-of-n"]]
    assert page.url.endswith("#/?method=best-of-n")
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    expect(page.locator(f'tr[data-id="{evolved["id"]}"]')).to_be_visible()
    page.get_by_label("Outcome").select_option("failed")
    expect(page.get_by_text("No evolution matches these filters.")).to_be_visible()


@pytest.mark.parametrize(("name", "low", "high"), [("Reward gain", "-0.0001", "0.0001"), ("Seconds", "0", "0.8")])
def test_ranges_are_filters_too(
    name: str, low: str, high: str, visit: Visit, evolved: dict[str, Any], others: dict[str, str]
) -> None:
    page = visit.open()
    expect(page.locator(f'tr[data-id="{evolved["id"]}"]')).to_be_visible()
    page.get_by_label(f"{name}, at least").fill(low)
    page.get_by_label(f"{name}, at most").fill(high)
    page.get_by_label(f"{name}, at most").press("Enter")
    expect(page.locator(f'tr[data-id="{evolved["id"]}"]')).to_have_count(0)
    expect(page.locator(f'tr[data-id="{others["sample"]}"]')).to_be_visible()


def test_the_keyboard_reaches_everything_in_order(visit: Visit, evolved: dict[str, Any]) -> None:
    page = visit.open()
    expect(page.locator(f'tr[data-id="{evolved["id"]}"]')).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    assert skip.bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.textContent"))
    assert reached[:9] == [
        "tenant", "method", "status", "min_gain", "max_gain", "min_seconds", "max_seconds", "Filter", "Clear",
    ]  # fmt: skip
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
