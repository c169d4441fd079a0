"""Stages that cost next to nothing: made-up tokens of a natural length, and rewards drawn from a seed."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence

from services.orchestrator.core.values import Generate, Generated, Mutate, Mutated, MutationEnded, Score, Scored
from shared.records.evolution import EvolutionRequest

_SYLLABLES = ("ta", "lo", "ri", "men", "sa", "ko", "du", "ver", "in", "the")
_VOCABULARY = 150_000


class SimulatedStages:
    """The orchestrator's three ports. `sampled` counts the bytes of every text that they have made, and `cpu_s` the
    seconds that this took.

    A token is about five bytes long. Ids are spread as in a real vocabulary: frequent tokens have small ones.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._texts: dict[tuple[int, ...], str] = {}
        self.sampled = 0
        self.cpu_s = 0.0

    async def mutate(
        self, effect: Mutate, request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Mutated | MutationEnded]:
        for number in range(effect.count):
            began = time.process_time()
            words = " ".join(_word(self._random.randrange(_VOCABULARY)) for _ in range(12))
            mutated = Mutated(effect.cycle, f"{effect.parent[:200]} ({effect.cycle}.{number}): {words}", "clarify")
            self.sampled += len(mutated.text)
            self.cpu_s += time.process_time() - began
            yield mutated
        yield MutationEnded(effect.cycle, effect.count * 60)

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        await asyncio.sleep(0)
        for effect in effects:
            began = time.process_time()
            generated = self._generated(effect)
            self.cpu_s += time.process_time() - began
            yield generated

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        return ""

    async def reasoning_marks(self, timeout_s: float) -> tuple[str, str]:
        return "", ""

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        return frozenset()

    async def score(
        self, effects: Sequence[Score], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Scored]:
        for effect in effects:
            reward = self._random.gauss(0.0, 1.0)
            yield Scored(effect.cycle, effect.round, effect.state, reward, {"reward": reward}, 200)

    def _generated(self, effect: Generate) -> Generated:
        ids = tuple(int(_VOCABULARY ** self._random.uniform(0.3, 1.0)) for _ in range(effect.max_new_tokens))
        new = "".join(f" {_word(token)}" for token in ids)
        self.sampled += len(new)
        text = self._texts.get(effect.token_ids, "") + new
        self._texts[effect.token_ids + ids] = text
        return Generated(
            effect.cycle, effect.round, effect.state, ids, text, text, "length", len(ids), 120, 118, 0.001234
        )


def _word(token: int) -> str:
    """About four letters, the same for the same token."""
    return _SYLLABLES[token % 10] + _SYLLABLES[token // 10 % 10][: 1 + token % 3]
