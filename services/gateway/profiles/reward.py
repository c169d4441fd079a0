"""The reward service's replicas, as far as profiles go. Only this module of these speaks gRPC."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc

from services.gateway.profiles.models import Judged, Judgement, LoadedProfile, ProfileFiles
from shared.errors import DarwinError, Internal, InvalidRequest, NotFound, Unavailable, Unsupported
from shared.pb import reward_pb2 as pb
from shared.pb.reward_pb2_grpc import RewardServiceStub
from shared.records.evolution import EvolutionRequest
from shared.records.profiles import Traits
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.rpc.scoring import Candidate, score_request
from shared.rpc.tls import Transport
from shared.telemetry.tracing import inject

# A replica that is just being started again is waited for; longer, and callers had better come back.
_PATIENCE_S = 3.0


class RewardClient:
    """The reward service at an address (host:port, or several joined by commas); models may load for `load_s`.

    Raises:
        SettingsError: `target` is no address, or plain text would leave this machine.
    """

    def __init__(self, target: str, load_s: float, transport: Transport | None = None) -> None:
        self._replicas = Replicas("reward", target, RewardServiceStub, transport or Transport())
        self._load_s = load_s

    async def close(self) -> None:
        await self._replicas.members.close()

    async def files(self) -> ProfileFiles:
        with calling("RewardService/ListProfiles"):
            await self._replicas.wait_for_any(_PATIENCE_S)
            try:
                response = await self._replicas.call(
                    lambda stub, **options: stub.ListProfiles(pb.ListProfilesRequest(), **options), 1, _PATIENCE_S
                )
            except grpc.RpcError as error:
                raise _translated(error) from error
        contents = {each.name: each.content for each in response.profiles}
        traits = {each.name: _traits(each) for each in response.profiles}
        return ProfileFiles(contents, response.default, traits)

    async def check(self, reference: str, content: str, *, tenants: bool) -> Traits:
        request = pb.LoadProfileRequest(profile=reference, content=content, tenants=tenants)
        with calling("RewardService/LoadProfile"):
            await self._replicas.wait_for_any(_PATIENCE_S)
            try:
                loaded = await self._replicas.call(
                    lambda stub, **options: stub.LoadProfile(request, **options), 1, self._load_s, reference
                )
            except grpc.RpcError as error:
                raise _translated(error) from error
        return _traits(loaded)

    async def load(self, reference: str, content: str) -> None:
        request = pb.LoadProfileRequest(profile=reference, content=content)
        with calling("RewardService/LoadProfile"):
            await self._replicas.wait_for_any(_PATIENCE_S)
            members = self._replicas.members
            calls = [self._load_at(members[address].stub, request) for address in members.serving]
            failures = [failure for failure in await asyncio.gather(*calls) if failure]
        # A replica that is away by now loads what it lacks when it is back, and other ones serve meanwhile.
        lasting = [failure for failure in failures if not isinstance(failure, Unavailable)]
        if lasting or len(failures) == len(calls):
            raise (lasting or failures)[0]

    async def score(
        self, profile: LoadedProfile, request: EvolutionRequest, texts: Sequence[str], timeout_s: float
    ) -> Judgement:
        candidates = [Candidate(str(place), text) for place, text in enumerate(texts)]
        message = score_request(request, candidates, profile.reference, profile.content, together=profile.relative)
        with calling("RewardService/Score"):
            await self._replicas.wait_for_any(min(_PATIENCE_S, timeout_s))
            try:
                response = await self._replicas.call(
                    lambda stub, **options: stub.Score(message, **options), len(texts), timeout_s, profile.reference
                )
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        scores = {score.id: score for score in response.scores}
        if missing := [each.id for each in candidates if each.id not in scores]:
            raise Internal(f"no reward for {len(missing)} responses under profile {profile.reference}")
        return Judgement([_judged(scores[each.id]) for each in candidates], response.usage.computed_tokens)

    async def _load_at(self, stub: Any, request: pb.LoadProfileRequest) -> DarwinError | None:
        try:
            await stub.LoadProfile(request, timeout=self._load_s, metadata=inject())
        except grpc.RpcError as error:
            return _translated(error)
        return None


def _traits(said: pb.ListProfilesResponse.Profile | pb.LoadProfileResponse) -> Traits:
    return Traits(said.relative, tuple(said.wishes), said.self_certainty)


def _judged(score: pb.ScoreResponse.Score) -> Judged:
    components = {component.name: component.value for component in score.components}
    return Judged(score.reward, components, score.abstained, score.breaks)


def _translated(error: grpc.RpcError) -> DarwinError:
    """What is wrong with a profile is wrong with the request that holds it."""
    failure = from_rpc_error(error)
    if isinstance(failure, InvalidRequest | NotFound | Unsupported):
        return InvalidRequest(failure.message, field="content")
    return failure
