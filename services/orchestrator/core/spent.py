"""What a search has cost so far."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Spent:
    """Tokens so far: `mutation` and `decode` were sampled, `reward` computed, `cached` not recomputed; and the number
    of responses that were scored."""

    prompt: int = 0
    mutation: int = 0
    decode: int = 0
    reward: int = 0
    reward_calls: int = 0
    cached: int = 0

    @property
    def generated(self) -> int:
        return self.mutation + self.decode
