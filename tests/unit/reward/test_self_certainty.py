"""A profile that reads how certain the language model was: its values, and what has none."""

import math
from pathlib import Path

import pytest

from services.reward.bootstrap import build_over, build_uncalibrated
from services.reward.checking import check_reward
from services.reward.profiles import check_tenants, parse_profile
from services.reward.rewarder import Rewarder
from services.reward.servicer import RewardServicer
from services.reward.settings import RewardSettings
from services.reward.validation import ResponseCandidate
from shared.errors import InvalidRequest, Unsupported
from shared.pb import reward_pb2 as pb
from shared.records.evolution import Message

SURE = "{name: sure, type: self_certainty, weight: 2}"
ALONE = f"components: [{SURE}]"
MIXED = f"components: [{SURE}, {{name: quick, type: simulated, weight: 1}}]"
PAIRED = "components: [{name: sure, type: self_certainty, weight: 1, transform: win_rate, beta: 1}]"
ASK = [Message("user", "Why?")]


def rewarder(content: str) -> Rewarder:
    return build_over({"it": parse_profile(content, "it")}, "it", RewardSettings())


async def rewards(content: str, *candidates: ResponseCandidate, json_values: bool = False) -> list[float]:
    subject = rewarder(content)
    await subject.start()
    try:
        scored = await subject.score(ASK, candidates, json_values=json_values, together=True)
    finally:
        await subject.stop()
    return [score.reward for score in scored.scores]


async def test_it_is_the_whole_reward_of_whole_and_partial_responses() -> None:
    given = [
        ResponseCandidate("a", "Because.", self_certainty=1.5),
        ResponseCandidate("b", "Because", partial=True, self_certainty=2.25),
        ResponseCandidate("c", "Because.", self_certainty=0.5),
        ResponseCandidate("d", " \n", self_certainty=9.0),
    ]
    assert await rewards(ALONE, *given) == [3.0, 4.5, 1.0, 0.0]
    assert await rewards(ALONE, ResponseCandidate("a", '{"":""}', self_certainty=1.5), json_values=True) == [3.0]
    ranks = await rewards(PAIRED, *given[:3])
    assert ranks[1] > ranks[0] > ranks[2]


async def test_other_components_are_what_they_were() -> None:
    plain = "components: [{name: quick, type: simulated, weight: 1}]"
    [alone] = await rewards(plain, ResponseCandidate("a", "Because."))
    assert await rewards(plain, ResponseCandidate("a", "Because.", self_certainty=1.5)) == [alone]
    assert await rewards(MIXED, ResponseCandidate("a", "Because.", self_certainty=1.5)) == [3.0 + alone]


async def test_a_text_of_which_nobody_knows_it_is_refused_with_the_whole_call() -> None:
    known = ResponseCandidate("a", "Because.", self_certainty=1.5)
    with pytest.raises(Unsupported, match="which texts alone do not tell: take a profile without") as refused:
        await rewards(MIXED, known, ResponseCandidate("b", "So."))
    assert refused.value.field == "profile"
    for wrong in (-0.1, math.nan, math.inf):
        with pytest.raises(InvalidRequest) as out_of_range:
            await rewards(ALONE, ResponseCandidate("a", "Because.", self_certainty=wrong))
        assert out_of_range.value.field == "candidates[0].self_certainty"


async def test_over_the_wire_0_is_told_from_nothing_and_profiles_say_that_they_read_it() -> None:
    subject = rewarder(ALONE)
    servicer = RewardServicer(subject)
    await subject.start()
    ask = [pb.ScoreRequest.Message(role="user", content="Why?")]
    known, unknown = pb.ScoreRequest.Candidate(id="a", self_certainty=0.0), pb.ScoreRequest.Candidate(id="a")
    context: object = None
    try:
        answer = await servicer.Score(pb.ScoreRequest(messages=ask, candidates=[known]), context)  # type: ignore[arg-type]
        assert [score.reward for score in answer.scores] == [0.0]
        with pytest.raises(Unsupported):
            await servicer.Score(pb.ScoreRequest(messages=ask, candidates=[unknown]), context)  # type: ignore[arg-type]
        listed = await servicer.ListProfiles(pb.ListProfilesRequest(), context)  # type: ignore[arg-type]
        assert [each.self_certainty for each in listed.profiles] == [True]
        for content, reads in ((MIXED, True), ("components: [{name: g, type: guard, weight: 1}]", False)):
            request = pb.LoadProfileRequest(profile="other", content=content, tenants=True)
            assert (await servicer.LoadProfile(request, context)).self_certainty is reads  # type: ignore[arg-type]
    finally:
        await subject.stop()


async def test_a_profile_with_it_is_checked_and_nothing_is_fitted_to_recorded_answers(tmp_path: Path) -> None:
    check_tenants(parse_profile(ALONE, "it"))
    file = tmp_path / "it.yaml"
    file.write_text(ALONE)
    assert [tried.reward for tried in (await check_reward(str(file))).scores] == [2.0, 2.0]
    with pytest.raises(InvalidRequest, match="'sure', which reads how certain the language model was"):
        build_uncalibrated(str(file))
    with pytest.raises(InvalidRequest, match="takes no transform: quantile"):
        parse_profile(ALONE.replace("weight: 2", "weight: 2, transform: quantile"), "it")
