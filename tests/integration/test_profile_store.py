import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio

from shared.errors import Conflict, InvalidRequest, NotFound
from shared.records.profiles import MAX_CONTENT, MAX_REASON, SEED, ManagedProfile, split_reference
from shared.store import profiles as store
from shared.store.profile_scripts import CHANGED
from shared.store.profiles import Profiles


@pytest.fixture
async def profiles(redis_url: str) -> AsyncIterator[Profiles]:
    async with redis.asyncio.Redis.from_url(redis_url) as client:
        if there := await client.keys("darwin:profile*"):
            await client.delete(*there)
    kept = Profiles(redis_url)
    yield kept
    await kept.close()


async def test_versions_are_numbered_and_stay_what_they_were(profiles: Profiles) -> None:
    first = await profiles.push("", "brief", "a: 1", "key 1", "first", promote=False)
    assert first == ManagedProfile("brief", 1, 1)
    second = await profiles.push("", "brief", "a: 2", "key 2", "shorter", promote=False)
    assert second == ManagedProfile("brief", 2, 1)
    assert await profiles.push("", "brief", "a: 2", "key 2", "again", promote=False) == second
    assert [each.content for each in await profiles.versions("", "brief", 2, 10)] == ["a: 2", "a: 1"]
    kept = await profiles.version("", "brief", 1)
    assert (kept.version, kept.by, kept.reason) == (1, "key 1", "first")
    assert [(each.kind, each.version, each.by) for each in await profiles.history("", "brief", 100)] == [
        ("pushed", 2, "key 2"),
        ("pushed", 1, "key 1"),
    ]


async def test_a_promotion_can_be_rolled_back_once_however_often_that_is_sent(profiles: Profiles) -> None:
    for content in ("a: 1", "a: 2", "a: 3"):
        await profiles.push("", "brief", content, "me", "", promote=True)
    assert (await profiles.roll_back("", "brief", 3, "me", "worse")).promoted == 2
    with pytest.raises(Conflict, match="brief@2 is promoted by now"):
        await profiles.roll_back("", "brief", 3, "me", "worse")
    assert (await profiles.promote("", "brief", 1, "me", "")).before == (1, 2)
    with pytest.raises(NotFound):
        await profiles.promote("", "brief", 4, "me", "")
    assert [each.kind for each in await profiles.history("", "brief", 100)][:2] == ["promoted", "rolled_back"]
    await profiles.push("", "calm", "a: 1", "me", "", promote=False)
    with pytest.raises(Conflict, match="nothing was promoted before"):
        await profiles.roll_back("", "calm", 1, "me", "")


async def test_two_who_push_at_once_make_two_versions(profiles: Profiles) -> None:
    contents = {f"a: {number}" for number in range(8)}
    await asyncio.gather(*(profiles.push("", "brief", each, "me", "", promote=True) for each in contents))
    assert {each.content for each in await profiles.versions("", "brief", 8, 10)} == contents
    assert len(await profiles.history("", "brief", 100)) == 8


async def test_of_two_who_roll_back_at_once_one_is_told_that_it_is_done(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def too_late(*values: Any, **named: Any) -> Any:
        monkeypatch.setattr(store, "CHANGED", CHANGED)
        assert (await profiles.roll_back("", "brief", 3, "you", "worse")).promoted == 2
        return await CHANGED(*values, **named)

    for content in ("a: 1", "a: 2", "a: 3"):
        await profiles.push("", "brief", content, "me", "", promote=True)
    monkeypatch.setattr(store, "CHANGED", too_late)
    with pytest.raises(Conflict, match="brief@2 is promoted by now"):
        await profiles.roll_back("", "brief", 3, "me", "worse")
    assert [each.by for each in await profiles.history("", "brief", 100) if each.kind == "rolled_back"] == ["you"]


async def test_a_change_that_is_sent_again_is_made_once_whatever_was_changed_since(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def twice(*values: Any, **named: Any) -> Any:
        """As where the connection breaks before the answer, and others are quicker than the second sending."""
        await CHANGED(*values, **named)
        with monkeypatch.context() as once:
            once.setattr(store, "CHANGED", CHANGED)
            await profiles.push("", "brief", "a: 9", "you", "", promote=True)
            await profiles.promote("", "brief", 2, "you", "as it was")
        return await CHANGED(*values, **named)

    await profiles.push("", "brief", "a: 1", "me", "", promote=False)
    await profiles.push("", "brief", "a: 2", "me", "", promote=True)
    with monkeypatch.context() as sent_twice:
        sent_twice.setattr(store, "CHANGED", twice)
        assert (await profiles.push("", "brief", "a: 3", "me", "", promote=False)).latest == 3
        await profiles.roll_back("", "brief", 2, "me", "worse")
    told = [(each.kind, each.version, each.by) for each in await profiles.history("", "brief", 100)]
    assert [version for kind, version, who in told if (kind, who) == ("pushed", "me")] == [3, 2, 1]
    assert [who for kind, _, who in told if kind == "rolled_back"] == ["me"]
    assert [each.content for each in await profiles.versions("", "brief", 9, 10)] == ["a: 9", "a: 3", "a: 2", "a: 1"]
    assert (await profiles.get("", "brief")).promoted == 2


async def test_a_deleted_profile_keeps_its_versions_and_numbers(profiles: Profiles) -> None:
    await profiles.push("acme", "brief", "a: 1", "me", "", promote=False)
    await profiles.delete("acme", "brief", "me", "not needed")
    assert await profiles.all("acme") == []
    with pytest.raises(NotFound):
        await profiles.get("acme", "brief")
    assert (await profiles.version("acme", "brief", 1)).content == "a: 1"
    again = await profiles.push("acme", "brief", "a: 1", "me", "", promote=False)
    assert again == ManagedProfile("brief", 2, 2)


async def test_files_are_kept_where_their_names_were_never_used(profiles: Profiles) -> None:
    assert await profiles.seed({"default": "a: 1", "calm": "b: 1"}, "default") == []
    assert await profiles.seed({"default": "a: 2", "kind": "c: 1"}, "kind") == ["default"]
    assert [profile.name for profile in await profiles.all("")] == ["calm", "default", "kind"]
    assert await profiles.default() == "default"
    assert (await profiles.version("", "default", 1)).by == SEED
    with pytest.raises(Conflict, match="is the default"):
        await profiles.delete("", "default", "me", "")
    await profiles.delete("", "calm", "me", "")
    await profiles.seed({"calm": "b: 1"}, "default")
    assert "calm" not in {profile.name for profile in await profiles.all("")}


async def test_a_tenants_own_profile_stands_before_the_one_that_all_may_use(profiles: Profiles) -> None:
    assert (await profiles.resolve("acme", "anything"))[:2] == ("anything", None)
    await profiles.seed({"default": "a: 1", "brief": "b: 1"}, "default")
    await profiles.push("acme", "brief", "b: 2", "me", "", promote=False)
    await profiles.push("acme", "brief", "b: 3", "me", "", promote=False)
    assert (await profiles.resolve("acme", ""))[:2] == ("default@1", "")
    assert (await profiles.resolve("acme", "brief"))[:2] == ("brief@1", "acme")
    assert (await profiles.resolve("acme", "brief@2"))[:2] == ("brief@2", "acme")
    assert (await profiles.resolve("other", "brief"))[:2] == ("brief@1", "")
    told = set()
    await profiles.push("acme", "secret", "b: 2", "me", "", promote=False)
    for reference in ("brief@2", "secret", "secret@1", "nobodys"):
        with pytest.raises(NotFound) as refused:
            await profiles.resolve("other", reference)
        told.add(refused.value.message.replace(reference, "…"))
    assert len(told) == 1
    assert [(owner, profile.name) for owner, profile in await profiles.offered()] == [
        ("", "brief"),
        ("", "default"),
        ("acme", "brief"),
        ("acme", "secret"),
    ]


async def test_texts_have_a_length(profiles: Profiles) -> None:
    with pytest.raises(InvalidRequest, match="65536"):
        await profiles.push("", "brief", "a" * (MAX_CONTENT + 1), "me", "", promote=False)
    with pytest.raises(InvalidRequest, match="reason"):
        await profiles.push("", "brief", "a", "me", "a" * (MAX_REASON + 1), promote=False)


@pytest.mark.parametrize("reference", ["", "@1", "a@", "a@0", "a@01", "a@1@2", "-a", "a b", "a@1000000", "ä"])
def test_what_is_no_reference_is_told(reference: str) -> None:
    assert split_reference(reference) is None
