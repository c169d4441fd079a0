"""The mutation service as the orchestrator's `Mutator`."""

from collections.abc import AsyncIterator

import grpc

from services.orchestrator.adapters.salt import cache_salt
from services.orchestrator.core.model import Mutate, Mutated, MutationEnded
from shared.pb import mutation_pb2 as pb
from shared.pb import mutation_pb2_grpc
from shared.records import EvolutionRequest, MutantSource, Mutation
from shared.rpc import from_rpc_error
from shared.rpc_metrics import calling
from shared.telemetry import outgoing

_SOURCE: dict[int, MutantSource] = {
    pb.MutateEvent.SOURCE_MODEL: "model",
    pb.MutateEvent.SOURCE_TEMPLATE: "template",
    pb.MutateEvent.SOURCE_PARENT: "parent",
}
_MODE: dict[Mutation, pb.MutateRequest.Mode] = {
    "auto": pb.MutateRequest.MODE_UNSPECIFIED,
    "model": pb.MutateRequest.MODE_MODEL,
    "templates": pb.MutateRequest.MODE_TEMPLATES,
}


class GrpcMutator:
    """Rewrites instructions through `darwin.v1.MutationService`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = mutation_pb2_grpc.MutationServiceStub(channel)

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        wanted, tokens = effect.count - len(effect.exclude), 0
        message = pb.MutateRequest(
            messages=[pb.MutateRequest.Message(role=m.role, content=m.content) for m in request.messages],
            parent=effect.parent,
            count=max(1, wanted),
            exclude=effect.exclude,
            seed=effect.seed if request.seeded else None,
            cache_salt=cache_salt(request),
            mode=_MODE[request.search.mutation],
        )
        with calling("MutationService/Mutate"):
            call = self._stub.Mutate(message, timeout=timeout_s, wait_for_ready=True, metadata=outgoing())
            try:
                async for event in call:
                    match event.WhichOneof("event"):
                        case "mutant" if wanted > 0:
                            wanted -= 1
                            mutant = event.mutant
                            yield Mutated(effect.cycle, mutant.text, mutant.operator, _SOURCE[mutant.source])
                        case "summary":
                            tokens = event.summary.generated_tokens
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
            finally:
                call.cancel()
        yield MutationEnded(effect.cycle, tokens)
