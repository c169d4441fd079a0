"""Reward profiles on the page: written, refused, pushed, tried, compared, promoted and rolled back."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from cli.client import Client
from cli.stack import Stack
from shared.store.api_keys import ApiKeys, new_key
from tests.e2e.inspector.visiting import INSTRUCTION, Visit, made
from tests.integration.gateway.running import Gateway

LONG = "components:\n- {name: simulated, type: simulated, weight: 1.0}\n"
SHORT = LONG.replace("1.0", "-1.0")


def write(page: Page, content: str, reason: str = "") -> None:
    page.get_by_label("Profile as YAML").fill(content)
    page.get_by_label("Reason", exact=True).fill(reason)
    page.get_by_role("button", name="Push").click()


@pytest.fixture
def steady(slow_stack: Stack) -> Iterator[str]:
    """The name of a profile that is new, and gone afterwards."""
    yield "steady"
    with Client(slow_stack.url) as client:
        client.call("DELETE", "/v1/profiles/steady")


def test_a_profile_is_written_tried_and_changed(visit: Visit, evolved: dict[str, Any], steady: str) -> None:
    visit.expected = {400, 404}
    page = visit.open("profiles")
    expect(page.get_by_role("link", name="simulated")).to_be_visible()
    page.get_by_label("Name").fill(steady)
    page.keyboard.press("Enter")
    expect(page.get_by_text("There is no such profile yet")).to_be_visible()
    write(page, "components: [{name: a, type: magic, weight: 1}]")
    expect(page.locator("#content-problem")).to_contain_text("must have a type of")
    expect(page.get_by_label("Profile as YAML")).to_be_focused()
    assert page.get_by_label("Profile as YAML").get_attribute("aria-invalid") == "true"
    write(page, LONG, "long is thorough")
    expect(page.locator("#edit [role=status]")).to_have_text("The latest is steady@1; the name means @1.")
    expect(page.locator("#history tbody").last).to_contain_text("long is thorough")

    page.get_by_label("Profile as YAML").fill(SHORT)
    page.get_by_label("or on these evolutions").fill(evolved["id"])
    page.get_by_role("button", name="Try", exact=True).click()
    expect(page.locator("#try [role=status]")).to_contain_text("By steady, 1 of 1 answers would have been other ones.")
    row = page.locator("#try .trial > .scroll > table > tbody > tr")
    expect(row).to_contain_text("another answer")
    expect(row.get_by_role("link", name=INSTRUCTION)).to_have_attribute("href", f"#/{evolved['id']}")
    assert row.locator("details table tbody tr").count() == 16
    page.get_by_label("What").select_option("1")
    page.get_by_role("button", name="Try", exact=True).press("Enter")
    expect(page.locator("#try [role=status]")).to_contain_text("By steady@1, 0 of 1 answers would have been")

    page.get_by_role("button", name="Push").click()
    expect(page.locator("#edit [role=status]")).to_have_text("The latest is steady@2; the name means @1.")
    page.locator("#diff select[name=before]").select_option("1")
    page.locator("#diff select[name=after]").select_option("2")
    assert page.locator("#diff del").all_inner_texts() == ["\u2212- {name: simulated, type: simulated, weight: 1.0}"]
    assert page.locator("#diff ins").all_inner_texts() == ["+- {name: simulated, type: simulated, weight: -1.0}"]
    page.get_by_role("button", name="Promote steady@2").press("Enter")
    page.get_by_role("dialog").get_by_label("reason").fill("shorter pleases")
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    expect(page.get_by_text("The name means steady@2")).to_be_visible()
    page.get_by_role("button", name="Roll back…").click()
    page.get_by_role("dialog").get_by_label("reason").fill("it did not")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("The name means steady@1")).to_be_visible()
    changes = page.locator("#history tbody").last.locator("tr").all_inner_texts()
    assert ["it did not" in changes[0], "shorter pleases" in changes[1]] == [True, True]
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.set_viewport_size({"width": 1366, "height": 768})


def test_the_page_shows_what_a_key_may_do(visit: Visit, slow_stack: Stack, guarded: Gateway) -> None:
    texts = {}

    async def add() -> None:
        keys = ApiKeys(slow_stack.redis_url)
        for own in (False, True):
            texts[own], key = new_key("acme", own_profiles=own)
            await keys.add(key)
        await keys.close()

    made(add)
    visit.url, visit.origins, visit.expected = guarded.url, (f"{guarded.url}/",), {401}
    page = visit.open("profiles")
    page.get_by_label("Key", exact=True).fill(texts[False])
    page.keyboard.press("Enter")
    expect(page.get_by_text("may neither see nor change them")).to_be_visible()
    assert page.get_by_role("button", name="Open").count() == 0
    page.get_by_role("button", name="Forget key").click()
    page.get_by_label("Key", exact=True).fill(texts[True])
    page.keyboard.press("Enter")
    expect(page.get_by_text("This key may change its tenant's own profiles, and no others.")).to_be_visible()
    assert page.get_by_label("Tenant").count() == 0
