"""What is known of a sequence under way, and which part of it the caller has been told."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, repeat

from services.generation.engine import Likelihoods
from services.generation.messages import SequenceResult, TokenUsage

_EVERY_S = 0.5
_FIRST_S = (0.1, 0.2)


def pauses() -> Iterator[float]:
    """Seconds between the partial results of a call: short ones first, so that a response is there early."""
    return chain(_FIRST_S, repeat(_EVERY_S))


class SampledSoFar:
    """What an engine has told of a sequence; `add` is its `TokenSequence.progress`."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.logprobs: list[Likelihoods] = []
        self._told_ids = 0
        self._told_tokens = 0

    def add(self, ids: Sequence[int], logprobs: Sequence[Likelihoods]) -> None:
        """Takes what has come since the last time."""
        self.ids += ids
        self.logprobs += logprobs

    @property
    def grown(self) -> bool:
        """Whether there is something that the caller has not been told."""
        return len(self.ids) > self._told_tokens

    def told(self, result: SequenceResult) -> SequenceResult:
        """The part of a result, which tells of everything since the call began, that has not been told; it is now."""
        usage = result.usage
        part = replace(
            result,
            token_ids=result.token_ids[self._told_ids :],
            logprobs=result.logprobs[self._told_ids :],
            certainties=result.certainties[self._told_ids :],
            usage=TokenUsage(usage.prompt_tokens, usage.cached_tokens, usage.generated_tokens - self._told_tokens),
        )
        self._told_ids, self._told_tokens = len(result.token_ids), usage.generated_tokens
        return part
