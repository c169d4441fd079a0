"""What the orchestrator needs from the other stages. The adapters speak gRPC; `bench.limit` calls engines directly.

Every method takes the evolution's request, and raises errors of `shared.errors`. `timeout_s` bounds the whole call.
Leaving an iterator early, or cancelling the task that reads it, cancels the work behind it.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from services.orchestrator.core.values import Generate, Generated, Mutate, Mutated, MutationEnded, Score, Scored
from shared.records.evolution import EvolutionRequest


class Mutator(Protocol):
    """Yields mutants as they are accepted, and `MutationEnded` last."""

    def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]: ...


class Generator(Protocol):
    """Yields one outcome per effect, as each completes, and partial ones before; knows the model's vocabulary and
    template."""

    def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]: ...

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        """The text of token ids; raises InvalidRequest where one is not in the model's vocabulary."""
        ...

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        """The names of arguments that the model's chat template reads."""
        ...

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        """What the model opens and closes its thoughts with; both empty where it has none."""
        ...


class Scorer(Protocol):
    """Yields one outcome per effect."""

    def score(self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float) -> AsyncIterator[Scored]: ...
