"""The mutation service as the orchestrator's `Mutator`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import grpc

from services.orchestrator.core.values import Mutate, Mutated, MutationEnded
from shared.pb import mutation_pb2 as pb
from shared.records.credit import Credit
from shared.records.evolution import EvolutionRequest, MutantSource
from shared.records.limits import MAX_QUOTED_CHARACTERS
from shared.records.salt import cache_salt
from shared.records.search import RECOMBINING, Mutation
from shared.records.turns import begun_answer
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.text.plain_turns import as_asked

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

CreditFor = Callable[[EvolutionRequest], Awaitable[Credit | None]]


class GrpcMutator:
    """Rewrites instructions through `darwin.v1.MutationService`."""

    def __init__(self, replicas: Replicas[Any], credit_for: CreditFor | None = None) -> None:
        """`credit_for` gives what lines and operators have earned on such requests; without it nothing is known."""
        self._replicas = replicas
        self._credit_for = credit_for

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        wanted, taken = effect.count - len(effect.exclude), list(effect.exclude)
        # Those of rewrites that were turned down are told with the next mutant.
        told, untold = 0, 0
        withheld: tuple[str, ...] = ()
        credit = await self._credit_for(request) if self._credit_for else None

        def begin(stub: Any, **options: Any) -> Any:
            bound = None if effect.max_tokens is None else max(0, effect.max_tokens - told - untold)
            return stub.Mutate(_to_pb(effect, request, max(1, wanted), taken, bound, credit), **options)

        events = self._replicas.stream(begin, lambda: wanted, timeout_s)
        with calling("MutationService/Mutate"):
            try:
                async with aclosing(events):
                    async for event in events:
                        untold += event.generated_tokens
                        match event.WhichOneof("event"):
                            case "mutant" if wanted > 0:
                                wanted -= 1
                                mutant = event.mutant
                                taken.append(mutant.text)
                                told, spent, untold = told + untold, untold, 0
                                yield Mutated(effect.cycle, mutant.text, mutant.operator, _SOURCE[mutant.source], spent)
                            case "summary":
                                untold = max(untold, event.summary.generated_tokens - told)
                                withheld = tuple(event.summary.withheld)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error
        yield MutationEnded(effect.cycle, untold, withheld)


def _to_pb(
    effect: Mutate,
    request: EvolutionRequest,
    count: int,
    taken: Sequence[str],
    bound: int | None,
    credit: Credit | None,
) -> pb.MutateRequest:
    begun = begun_answer(request.messages, request.prefill_thought)
    return pb.MutateRequest(
        messages=[pb.MutateRequest.Message(role=m.role, content=m.content) for m in as_asked(request.messages)],
        parent=effect.parent,
        count=count,
        exclude=taken,
        seed=effect.seed if request.seeded else None,
        cache_salt=cache_salt(request),
        mode=_MODE[request.search.mutation],
        form_fixed=request.sampling.format is not None,
        max_generated_tokens=bound,
        earned={
            name: pb.MutateRequest.Earned(mean=each.mean, weight=each.weight)
            for name, each in (credit.earned.items() if credit else ())
            # Settings ask for these; nobody draws them.
            if name not in RECOMBINING
        },
        noise=credit.noise if credit else 0.0,
        crossover=[_quoted(begun + text) for text in effect.crossover],
        refine=_quoted(begun + effect.refine) if effect.refine else "",
        wishes=request.wishes,
    )


def _quoted(answer: str) -> str:
    """As much of an answer as a mutant may quote, and more than it does of one that is longer."""
    return answer[:MAX_QUOTED_CHARACTERS]
