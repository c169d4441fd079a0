"""The reward process over its wire."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import psutil
import pytest
import pytest_asyncio

from services.reward.profiles import load_profiles
from shared import errors
from shared.pb import reward_pb2 as pb
from shared.pb import reward_pb2_grpc
from shared.records import limits
from shared.rpc.channel import connect, from_rpc_error
from tests.integration.processes import process, serving

ASK = {"role": "user", "content": "How do plants make food?"}
GOOD = "Plants make food by photosynthesis: their leaves turn sunlight, water and carbon dioxide into sugar."
HOUSE = """
components:
  - name: rules
    type: rules
    weight: 2
    checks: [{name: brief, type: length, unit: words, max: 3}, {name: asks, type: match, pattern: "[?]$"}]
require: {rules.asks: 1}
wishes: [at most three words]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[reward_pb2_grpc.RewardServiceStub]:
    folder = tmp_path_factory.mktemp("reward")
    (folder / "profiles").mkdir()
    (folder / "profiles" / "house.yaml").write_text(HOUSE)
    settings = {"DARWIN_REWARD_PROFILES": "default,simulated", "DARWIN_REWARD_PROFILES_DIR": str(folder / "profiles")}
    with process("reward", folder, settings) as child:
        async with connect(child.address(30)) as channel:
            await serving(channel, 60)
            yield reward_pb2_grpc.RewardServiceStub(channel)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_scores_come_in_order_with_every_component(stub: reward_pb2_grpc.RewardServiceStub) -> None:
    texts = {"loop": "yes " * 50, "good": GOOD, "empty": "", "off": "Shares fell on Tuesday as interest rates rose."}
    candidates = [pb.ScoreRequest.Candidate(id=name, text=text) for name, text in texts.items()]
    answer = await stub.Score(pb.ScoreRequest(messages=[ASK], candidates=candidates))
    assert [score.id for score in answer.scores] == list(texts)
    assert answer.profile == "default"
    rewards = {score.id: score.reward for score in answer.scores}
    assert max(rewards, key=rewards.__getitem__) == "good"
    shipped = load_profiles(["default"], None)["default"].components
    for score in answer.scores:
        assert [part.name for part in score.components] == [component.name for component in shipped]
        assert [part.weight for part in score.components] == [component.weight for component in shipped]
        assert score.reward == pytest.approx(sum(part.weight * part.value for part in score.components))


async def test_checks_are_told_by_name_and_what_is_required_is_said_to_be_broken_once_it_is(
    stub: reward_pb2_grpc.RewardServiceStub,
) -> None:
    def candidate(text: str, *, partial: bool = False) -> pb.ScoreRequest.Candidate:
        return pb.ScoreRequest.Candidate(id=f"{text}{partial}", text=text, partial=partial)

    candidates = [candidate("Why?"), candidate("By a b c d light."), candidate("By light", partial=True)]
    answer = await stub.Score(pb.ScoreRequest(messages=[ASK], candidates=candidates, profile="house"))
    told = [{part.name: (part.weight, part.value) for part in score.components} for score in answer.scores]
    assert told[1] == {"rules": (2, 0.25), "rules.brief": (0, 0.5), "rules.asks": (0, 0)}
    assert [score.reward for score in answer.scores] == [2, 0.5, 2]
    assert [score.breaks for score in answer.scores] == ["", "rules.asks", ""]


async def test_usage_says_what_was_computed_and_what_reused(stub: reward_pb2_grpc.RewardServiceStub) -> None:
    def request(text: str) -> pb.ScoreRequest:
        return pb.ScoreRequest(
            messages=[{"role": "user", "content": "Why do leaves fall?"}], candidates=[{"id": "a", "text": text}]
        )

    text = "In autumn the tree seals its leaves off, and the wind takes them."
    first = (await stub.Score(request(text))).usage
    again = (await stub.Score(request(text))).usage
    grown = (await stub.Score(request(text + " And more."))).usage
    assert first.computed_tokens > 0 == first.cached_tokens
    assert (again.computed_tokens, again.cached_tokens) == (0, first.computed_tokens)
    assert 0 < grown.computed_tokens < first.computed_tokens
    assert grown.cached_tokens > 0


async def test_concurrent_calls_each_get_their_own_answers(stub: reward_pb2_grpc.RewardServiceStub) -> None:
    async def ask(number: int) -> pb.ScoreResponse:
        candidates = [{"id": f"{number}-{index}", "text": f"{GOOD} {number} {index}"} for index in range(3)]
        return await stub.Score(
            pb.ScoreRequest(messages=[ASK], candidates=candidates, profile="default" if number % 2 else "simulated")
        )

    for number, answer in enumerate(await asyncio.gather(*(ask(number) for number in range(12)))):
        assert [score.id for score in answer.scores] == [f"{number}-{index}" for index in range(3)]
        assert answer.profile == ("default" if number % 2 else "simulated")


@pytest.mark.parametrize(
    ("change", "kind", "field"),
    [
        ({"profile": "hose"}, errors.NotFound, "profile"),
        ({"messages": []}, errors.InvalidRequest, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}, ASK]}, errors.InvalidRequest, "messages[0].role"),
        ({"messages": [ASK, {"role": "assistant", "content": "x"}]}, errors.InvalidRequest, "messages[1].role"),
        ({"candidates": []}, errors.InvalidRequest, "candidates"),
        ({"candidates": [{"id": "a"}, {"id": "a"}]}, errors.InvalidRequest, "candidates[1].id"),
        (
            {"candidates": [{"id": str(index)} for index in range(limits.MAX_SEQUENCES + 1)]},
            errors.InvalidRequest,
            "candidates",
        ),
        (
            {"candidates": [{"id": "a", "text": "x" * (limits.MAX_ANSWER_CHARACTERS + 1)}]},
            errors.InvalidRequest,
            "candidates[0].text",
        ),
    ],
)
async def test_a_bad_call_is_refused_with_its_field(
    stub: reward_pb2_grpc.RewardServiceStub,
    change: dict[str, object],
    kind: type[errors.DarwinError],
    field: str,
) -> None:
    call = {"messages": [ASK], "candidates": [{"id": "a", "text": "Sun."}]} | change
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Score(pb.ScoreRequest(**call))
    error = from_rpc_error(caught.value)
    assert isinstance(error, kind)
    assert error.field == field
    if kind is errors.NotFound:
        assert "default" in error.message
        assert "simulated" in error.message


async def test_profiles_are_listed(stub: reward_pb2_grpc.RewardServiceStub) -> None:
    answer = await stub.ListProfiles(pb.ListProfilesRequest())
    listed = {profile.name: list(profile.components) for profile in answer.profiles}
    house = ["rules", "rules.brief", "rules.asks"]
    assert listed == {
        "default": ["quality", "guard", "form", "relevance"],
        "simulated": ["simulated"],
        "house": house,
    }
    assert {profile.name: list(profile.wishes) for profile in answer.profiles}["house"] == ["at most three words"]
    loaded = await stub.LoadProfile(pb.LoadProfileRequest(profile="terse", content=HOUSE))
    assert (loaded.components, loaded.wishes) == (house, ["at most three words"])


async def test_a_passed_deadline_leaves_the_service_well(stub: reward_pb2_grpc.RewardServiceStub) -> None:
    candidates = [{"id": str(index), "text": f"{index} {GOOD * 20}"} for index in range(200)]
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Score(pb.ScoreRequest(messages=[ASK], candidates=candidates), timeout=0.3)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    after = pb.ScoreRequest(messages=[ASK], candidates=[{"id": "a", "text": "After that, still here."}])
    await stub.Score(after, timeout=60)  # those of the call that nobody waits for would take longer


async def test_the_simulated_profile_alone_starts_without_torch(tmp_path: Path) -> None:
    with process("reward", tmp_path) as child:
        async with connect(child.address(30)) as channel:
            await serving(channel, 30)
            answer = await reward_pb2_grpc.RewardServiceStub(channel).Score(
                pb.ScoreRequest(messages=[ASK], candidates=[{"id": "a", "text": GOOD}])
            )
        assert answer.profile == "simulated"
        assert not any("libtorch" in region.path for region in psutil.Process(child.pid).memory_maps())


@pytest.mark.parametrize("seconds", [0.0, 0.7, 2.0])
async def test_it_ends_while_models_load(tmp_path: Path, seconds: float) -> None:
    """With exit code 0, which it has not where it has to be killed."""
    with process("reward", tmp_path, {"DARWIN_REWARD_PROFILES": "default"}) as child:
        child.address(30)
        await asyncio.sleep(seconds)
