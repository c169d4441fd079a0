"""The tokens that decoding hides, such as those that end a turn: a caller's text may spell them."""

import re
from functools import cached_property
from typing import Any

from shared.text.marks import spellings_of


class HiddenTokens(dict[str, int]):
    """Maps the text of each token that decoding hides to its id. It must not change once it is read: there may be
    thousands, which calls must not go through one by one."""

    @cached_property
    def ids(self) -> frozenset[int]:
        return frozenset(self.values())

    @cached_property
    def spellings(self) -> re.Pattern[str]:
        """Finds their texts."""
        return spellings_of(self)


def hidden_tokens(tokenizer: Any, vocabulary: int) -> HiddenTokens:
    """The tokens below `vocabulary` that a Hugging Face tokenizer hides when it decodes, by their text."""
    added = tokenizer.added_tokens_decoder
    return HiddenTokens({token.content: i for i, token in added.items() if token.special and i < vocabulary})
