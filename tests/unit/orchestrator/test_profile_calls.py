"""Which replica a call under a managed reward profile goes to, and what travels with it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from services.orchestrator.adapters.profile_contents import ProfileContents
from services.orchestrator.adapters.reward import GrpcScorer
from services.orchestrator.core.values import Score
from shared.errors import NotFound, Unavailable
from shared.pb import reward_pb2 as pb
from shared.records.events import Comparison
from shared.records.profiles import ProfileVersion
from shared.store.profiles import Profiles
from tests.unit.orchestrator.test_adapters import REQUEST

OWN = replace(REQUEST, profile="brief@2", profile_owner="acme")
EFFECTS = [Score(1, 1, 0, "Hi", False)]


class Kept(Profiles):
    def __init__(self) -> None:
        self.asked: list[tuple[str, str, int]] = []

    async def version(self, owner: str, name: str, version: int) -> ProfileVersion:
        self.asked.append((owner, name, version))
        return ProfileVersion(version, f"{owner}: {name}", "me", 0.0)


class Replicas:
    """Answers a call, unless `refuses` says with which status it is refused."""

    def __init__(self, refuses: Callable[[pb.ScoreRequest], grpc.StatusCode | None]) -> None:
        self.refuses = refuses
        self.calls: list[tuple[str, str, bool]] = []

    async def call(self, begin: Callable[..., Any], weight: int, timeout_s: float, key: str) -> Any:
        return begin(self)

    def Score(self, request: pb.ScoreRequest) -> pb.ScoreResponse:  # noqa: N802  # the wire's name
        self.calls.append((request.profile, request.content, request.only_loaded))
        if request.together:
            compared = pb.ScoreResponse.Comparison(component="fair", first=0, second=1, preference=0.75)
            scores = [pb.ScoreResponse.Score(id=each.id, reward=len(each.id)) for each in request.candidates]
            usage = pb.ScoreResponse.Usage(computed_tokens=9)
            return pb.ScoreResponse(scores=scores, comparisons=[compared], usage=usage)
        if code := self.refuses(request):
            raise AioRpcError(code, Metadata(), Metadata(), "refused")
        return pb.ScoreResponse(scores=[pb.ScoreResponse.Score(id="0", reward=1.0)])


async def scored(replicas: Any, kept: Kept, request: Any = OWN) -> list[float]:
    scorer = GrpcScorer(replicas, ProfileContents(kept))
    return [each.reward async for each in scorer.score(EFFECTS, request, 5)]


async def test_a_replica_that_has_loaded_the_version_is_asked_first() -> None:
    replicas, kept = Replicas(lambda request: None), Kept()
    assert await scored(replicas, kept) == [1.0]
    assert replicas.calls == [("brief@2", "acme: brief", True)]
    assert kept.asked == [("acme", "brief", 2)]


async def test_where_none_has_loaded_it_the_call_waits_at_one() -> None:
    unloaded = Replicas(lambda request: grpc.StatusCode.UNAVAILABLE if request.only_loaded else None)
    assert await scored(unloaded, Kept()) == [1.0]
    assert [only_loaded for *_, only_loaded in unloaded.calls] == [True, False]


async def test_other_refusals_are_told_at_once() -> None:
    for code, error, calls in ((grpc.StatusCode.NOT_FOUND, NotFound, 1), (grpc.StatusCode.UNAVAILABLE, Unavailable, 2)):
        refusing = Replicas(lambda request, code=code: code)  # type: ignore[misc]
        with pytest.raises(error):
            await scored(refusing, Kept())
        assert len(refusing.calls) == calls


async def test_a_file_of_the_reward_services_travels_by_name_alone() -> None:
    replicas, kept = Replicas(lambda request: None), Kept()
    assert await scored(replicas, kept, replace(REQUEST, profile="kind")) == [1.0]
    assert (replicas.calls, kept.asked) == ([("kind", "", False)], [])


async def test_a_version_is_read_once() -> None:
    kept = Kept()
    contents = ProfileContents(kept)
    assert {await contents.of(OWN) for _ in range(3)} == {"acme: brief"}
    assert len(kept.asked) == 1


async def test_responses_of_several_cycles_are_scored_together_and_the_matrix_is_told_once() -> None:
    scorer = GrpcScorer(Replicas(lambda request: None), ProfileContents(Kept()))  # type: ignore[arg-type]
    effects = [Score(2, 1, 0, "Hi", True), Score(1, 0, 0, "Ho", True)]
    request = replace(OWN, relative_rewards=True)
    found = [each async for each in scorer.score(effects, request, 5)]
    assert [(each.cycle, each.state, each.reward) for each in found] == [(2, 0, 3), (1, 0, 3)]
    assert [each.computed_tokens for each in found] == [9, 0]
    assert [each.comparisons for each in found] == [(Comparison("fair", 0, 1, 0.75),), ()]
