"""The gRPC edge: parses a call, runs the rewarder, formats its result."""

import asyncio
import logging
from typing import cast

import grpc

from services.reward.profiles import check_tenants, parse_profile
from services.reward.rewarder import CandidateScore, Rewarder
from services.reward.validation import ResponseCandidate, check_content
from shared.pb import reward_pb2 as pb
from shared.pb import reward_pb2_grpc
from shared.records.evolution import Message, Role

log = logging.getLogger(__name__)


class RewardServicer(reward_pb2_grpc.RewardServiceServicer):  # type: ignore[misc]  # generated code has no types
    def __init__(self, rewarder: Rewarder) -> None:
        self._rewarder = rewarder
        self._untold: set[str] = set()

    async def Score(  # noqa: N802  # the wire's name
        self, request: pb.ScoreRequest, context: "grpc.aio.ServicerContext[pb.ScoreRequest, pb.ScoreResponse]"
    ) -> pb.ScoreResponse:
        scored = await self._rewarder.score(
            [Message(cast(Role, message.role), message.content) for message in request.messages],
            list(map(_candidate, request.candidates)),
            request.profile,
            request.cache_salt,
            json_values=request.json_values,
            content=request.content,
            only_loaded=request.only_loaded,
            together=request.together,
        )
        if not request.content:
            self._warn_of_wishes(scored.profile)
        return pb.ScoreResponse(
            scores=[_score(score) for score in scored.scores],
            profile=scored.profile,
            usage=pb.ScoreResponse.Usage(computed_tokens=scored.computed_tokens, cached_tokens=scored.cached_tokens),
            comparisons=[
                pb.ScoreResponse.Comparison(component=component, first=first, second=second, preference=chance)
                for component, first, second, chance in scored.comparisons
            ],
        )

    async def ListProfiles(  # noqa: N802  # the wire's name
        self,
        request: pb.ListProfilesRequest,
        context: "grpc.aio.ServicerContext[pb.ListProfilesRequest, pb.ListProfilesResponse]",
    ) -> pb.ListProfilesResponse:
        return pb.ListProfilesResponse(
            profiles=[
                pb.ListProfilesResponse.Profile(
                    name=profile.name,
                    description=profile.description,
                    components=profile.parts,
                    content=profile.content,
                    relative=profile.relative,
                    self_certainty=profile.self_certainty,
                    wishes=profile.wishes,
                )
                for profile in self._rewarder.profiles.values()
            ],
            default=self._rewarder.default,
        )

    async def LoadProfile(  # noqa: N802  # the wire's name
        self,
        request: pb.LoadProfileRequest,
        context: "grpc.aio.ServicerContext[pb.LoadProfileRequest, pb.LoadProfileResponse]",
    ) -> pb.LoadProfileResponse:
        check_content(request.content)
        if request.tenants:
            check_tenants(await asyncio.to_thread(parse_profile, request.content, request.profile))
        loaded = await self._rewarder.load(request.profile, request.content)
        return pb.LoadProfileResponse(
            components=loaded.parts,
            relative=loaded.relative,
            self_certainty=loaded.self_certainty,
            wishes=loaded.wishes,
        )

    def _warn_of_wishes(self, name: str) -> None:
        """Says once of each file that its wishes are not told, since whoever scores by it knows its name alone."""
        if self._rewarder.profiles[name].wishes and name not in self._untold:
            self._untold.add(name)
            log.warning("no mutant tells the wishes of %s: profiles are not managed, see DARWIN_GATEWAY_REWARD", name)


def _candidate(given: pb.ScoreRequest.Candidate) -> ResponseCandidate:
    certainty = given.self_certainty if given.HasField("self_certainty") else None
    return ResponseCandidate(given.id, given.text, given.partial, certainty)


def _score(score: CandidateScore) -> pb.ScoreResponse.Score:
    return pb.ScoreResponse.Score(
        id=score.id,
        reward=score.reward,
        abstained=score.abstained,
        breaks=score.breaks,
        components=[
            pb.ScoreResponse.Component(name=part.name, weight=part.weight, value=part.value) for part in score.parts
        ],
    )
