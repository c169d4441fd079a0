"""The reward service as the orchestrator's `Scorer`."""

import asyncio
import math
from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc

from services.orchestrator.adapters.profile_contents import ProfileContents
from services.orchestrator.core.frozen import changed
from services.orchestrator.core.values import Score, Scored
from shared.errors import Internal
from shared.pb import reward_pb2 as pb
from shared.records.events import Comparison
from shared.records.evolution import EvolutionRequest
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.rpc.scoring import Candidate, score_request
from shared.telemetry.tracing import current_evolution_id


class GrpcScorer:
    """Scores states through `darwin.v1.RewardService`, see `score_request`. An evolution's calls prefer one replica,
    which holds what it computed of their responses. A call under a managed profile, whose content travels with
    it, goes to a replica that has loaded it, or waits where none has.
    """

    def __init__(self, replicas: Replicas[Any], profiles: ProfileContents | None = None) -> None:
        self._replicas = replicas
        self._profiles = profiles

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        content = await self._profiles.of(request) if self._profiles else ""
        certain = request.self_certainty
        candidates = [
            Candidate(_id(each, request), each.text, each.partial, each.self_certainty if certain else None)
            for each in effects
        ]
        together = request.relative_rewards
        message = score_request(request, candidates, request.profile, content, together=together)
        with calling("RewardService/Score"):
            try:
                response = await self._scored(message, len(effects), timeout_s)
            except grpc.RpcError as error:
                raise from_rpc_error(error, lambda field: "darwin.profile" if field == "profile" else field) from error
        scores = {score.id: score for score in response.scores}
        computed, found = response.usage.computed_tokens, response.comparisons
        comparisons = tuple(Comparison(each.component, each.first, each.second, each.preference) for each in found)
        for effect in effects:
            score = scores.get(_id(effect, request))
            if score is None or not math.isfinite(score.reward):
                raise Internal(f"no usable reward for state {effect.state} under profile {request.profile}")
            components = {component.name: component.value for component in score.components}
            where = (effect.cycle, effect.round, effect.state)
            scored = Scored(*where, score.reward, components, computed, score.abstained, breaks=score.breaks)
            yield changed(scored, comparisons=comparisons) if comparisons else scored
            computed, comparisons = 0, ()  # the call's are told once, with its first state

    async def _scored(self, message: pb.ScoreRequest, weight: int, timeout_s: float) -> pb.ScoreResponse:
        """Asks replicas that have loaded the call's profile; where none has, the preferred one, which loads it."""
        ends_at = asyncio.get_running_loop().time() + timeout_s

        async def asked(*, only_loaded: bool) -> pb.ScoreResponse:
            message.only_loaded = only_loaded
            left_s = max(0.0, ends_at - asyncio.get_running_loop().time())
            response: pb.ScoreResponse = await self._replicas.call(
                lambda stub, **options: stub.Score(message, **options), weight, left_s, current_evolution_id()
            )
            return response

        if message.content:
            try:
                return await asked(only_loaded=True)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
        return await asked(only_loaded=False)


def _id(effect: Score, request: EvolutionRequest) -> str:
    """Unique within a call; where responses of several cycles are scored together, by their cycles too."""
    return f"{effect.cycle}.{effect.state}" if request.relative_rewards else str(effect.state)
