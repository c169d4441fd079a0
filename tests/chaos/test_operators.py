"""The judge of operators' changes, before it is trusted."""

from dataclasses import replace
from typing import Any

import pytest

from shared.records.profiles import ManagedProfile, ProfileChange, ProfileVersion
from tests.chaos.operators import Deed, content_of, judged

DEEDS = (
    Deed("a", "pushed", "done", 0, 1, promotes=False),
    Deed("b", "pushed", "done", 1, 2, promotes=True),
    Deed("c", "pushed", "unknown", 2, 3, promotes=False),
    Deed("d", "rolled_back", "done", 3, 4, version=2),
    Deed("e", "promoted", "done", 4.5, 5, version=3),
    Deed("f", "promoted", "done", 5, 6, version=3),
    Deed("g", "rolled_back", "refused", 6, 7, version=1),
)
PROFILE = ManagedProfile("brief", 3, 3, (1,))
VERSIONS = [ProfileVersion(number, content_of(reason), "me", 0) for number, reason in ((3, "c"), (2, "b"), (1, "a"))]
HISTORY = [
    ProfileChange("promoted", 3, "me", 0, "e"),
    ProfileChange("rolled_back", 1, "me", 0, "d"),
    ProfileChange("pushed", 3, "me", 0, "c"),
    ProfileChange("pushed", 2, "me", 0, "b"),
    ProfileChange("pushed", 1, "me", 0, "a"),
]


def test_what_holds_is_no_miss() -> None:
    assert judged(DEEDS, PROFILE, VERSIONS, HISTORY) == []
    unmade = [deed for deed in DEEDS if deed.reason != "c"]
    lost = Deed("x", "pushed", "unknown", 2, 3)
    assert judged([*unmade, replace(DEEDS[2], outcome="done"), lost], PROFILE, VERSIONS, HISTORY) == []


@pytest.mark.parametrize(
    ("changed", "miss"),
    [
        ({"versions": VERSIONS[1:]}, "gaps or doubles"),
        ({"versions": [VERSIONS[0], VERSIONS[0], *VERSIONS[1:]]}, "gaps or doubles"),
        ({"versions": [replace(VERSIONS[0], content=content_of("b")), *VERSIONS[1:]]}, "another version"),
        ({"history": [ProfileChange("promoted", 3, "me", 0, "z"), *HISTORY]}, "nobody asked for"),
        ({"history": [HISTORY[0], *HISTORY]}, "told twice"),
        ({"history": [ProfileChange("rolled_back", 1, "me", 0, "g"), *HISTORY]}, "a refused change was made"),
        ({"history": [HISTORY[0], *HISTORY[2:]]}, "acknowledged is not told"),
        ({"history": [HISTORY[1], HISTORY[0], *HISTORY[2:]]}, "not told in their order"),
        ({"history": HISTORY[1:]}, "the history leads to"),
        ({"profile": replace(PROFILE, promoted=2)}, "the history leads to"),
        ({"deeds": [*DEEDS, Deed("h", "promoted", "done", 7, 8, version=9)]}, "was not made"),
    ],
)
def test_what_does_not_hold_is_told(changed: dict[str, Any], miss: str) -> None:
    given = {"deeds": DEEDS, "profile": PROFILE, "versions": VERSIONS, "history": HISTORY} | changed
    assert any(miss in each for each in judged(**given)), judged(**given)
