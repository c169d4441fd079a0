"""Which prefixes an engine with so many blocks would find in its KV cache: a model of vLLM's, for studies of scale."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence

BLOCK = 16
"""Tokens of a block; only whole blocks are found again."""


class PrefixCache:
    """The `blocks` last used. Running sequences hold none of them back, as they would in vLLM."""

    def __init__(self, blocks: int) -> None:
        self._blocks = blocks
        self._used: OrderedDict[int, None] = OrderedDict()

    def found(self, token_ids: Sequence[int], salt: str) -> int:
        """How many tokens at the beginning need not be computed; the last one always must."""
        cached = 0
        for block in self._chain(token_ids[:-1], salt):
            if block not in self._used:
                break
            cached += BLOCK
        return cached

    def keep(self, token_ids: Sequence[int], salt: str) -> None:
        """Notes what was computed. Of one sequence, the end is forgotten first."""
        if not self._blocks:
            return
        for block in reversed(list(self._chain(token_ids, salt))):
            self._used[block] = None
            self._used.move_to_end(block)
        while len(self._used) > self._blocks:
            self._used.popitem(last=False)

    def _chain(self, token_ids: Sequence[int], salt: str) -> Iterator[int]:
        """A hash of each whole block, with everything before it."""
        digest = hash(salt)
        if self._blocks:
            for start in range(0, len(token_ids) - BLOCK + 1, BLOCK):
                digest = hash((digest, *token_ids[start : start + BLOCK]))
                yield digest
