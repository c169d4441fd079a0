"""The short version of `make chaos`: simulated models, short leases, a fault of each kind."""

from collections.abc import Iterator

import pytest

from tests.chaos.equality import compare
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.scene import Scene, simulated
from tests.chaos.trial import run

pytestmark = pytest.mark.alone

SHORT = (
    "kill worker",
    "kill generation",
    "kill gateway",
    "kill redis",
    "term orchestrator",
    "term generation",
    "message thrice",
    "two holders",
)
OF_TWO = ("kill one of two generation", "kill one of two reward", "term one of two generation")


LOAD = simulated(
    tokens_per_second=40,
    max_tokens=120,
    DARWIN_ORCHESTRATOR_LEASE_S="2",
    DARWIN_ORCHESTRATOR_STALLED_S="1.5",
)


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Scene(LOAD, proxied=False) as scene:
        yield scene


@pytest.fixture(scope="module")
def scene_of_two() -> Iterator[Scene]:
    with Scene(LOAD, proxied=False, replicas=2) as scene:
        yield scene


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.name in SHORT], ids=lambda fault: fault.name)
def test_every_accepted_evolution_ends_once(scene: Scene, fault: Fault) -> None:
    row = run(fault, scene, lambda doing: None)
    assert row.passed, row


@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault.name in OF_TWO], ids=lambda fault: fault.name)
def test_another_replica_takes_over_and_no_attempt_fails(scene_of_two: Scene, fault: Fault) -> None:
    row = run(fault, scene_of_two, lambda doing: None)
    assert row.passed, row


@pytest.mark.parametrize("method", ["darwin", "replacement-only"])
def test_a_killed_search_ends_as_an_undisturbed_one(scene: Scene, method: str) -> None:
    assert compare(scene, method) == []
