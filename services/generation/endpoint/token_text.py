"""Token ids as text and back, for endpoints that take or return text only.

This is not token-exact: the same text can be tokenised in other ways than it was sampled in.
"""

import copy
from collections.abc import Sequence
from typing import Any

from shared.errors import InvalidRequest

# Enough for a tokenizer that spaces the start of a text otherwise than what follows something.
_TAIL_TOKENS = 16
_ANCHOR = "\n"
# Stands for bytes that are no whole character yet.
_BROKEN = "\ufffd"


class TokenText:
    """Converts by a Hugging Face fast tokenizer, which must be the endpoint's; `control` are the ids of control tokens.

    It works on copies: the tokenizer itself changes its state with each call.
    """

    def __init__(self, tokenizer: Any, control: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self._control = control
        # The endpoint reads control tokens in prompts, and leaves special ones out of its responses.
        self._prompts = _copy(tokenizer.backend_tokenizer, literal=False)
        self._responses = _copy(tokenizer.backend_tokenizer, literal=True)
        # The endpoint's tokenizer puts this before every text by itself.
        self._prefix = self._decode(self._prompts.encode("").ids)

    def prompt(self, token_ids: Sequence[int]) -> str:
        """The text that the endpoint reads as these ids, special tokens spelled out.

        Raises:
            InvalidRequest: it would take something in a message for one of the template's control tokens.
        """
        text = self._decode(token_ids)
        if self._controls(self._prompts.encode(text, add_special_tokens=False).ids) != self._controls(token_ids):
            raise InvalidRequest(
                "a text spells one of the model's control tokens, and this endpoint, which takes text only, could not "
                "tell them apart: leave it out",
                field="messages",
            )
        return text.removeprefix(self._prefix)

    def tokens(self, text: str) -> int:
        """How many tokens the endpoint's tokenizer should make of a prompt."""
        return len(self._prompts.encode(text).ids)

    def added(self, before: Sequence[int], text: str) -> tuple[int, ...]:
        """Ids that add `text` to what ids `before` say."""
        tail = tuple(before[-_TAIL_TOKENS:])
        wanted = self._decode(tail) + text
        ways = (self._encode(text), self._after_anchor(text))
        return tuple(next((way for way in ways if self._decode((*tail, *way)) == wanted), ways[0]))

    def cut(self, token_ids: tuple[int, ...], limit: int) -> tuple[int, ...]:
        """At most `limit` of the ids, up to a whole character."""
        ids = token_ids[:limit]
        while ids and self._decode(ids).endswith(_BROKEN):
            ids = ids[:-1]
        return ids

    def _after_anchor(self, text: str) -> list[int]:
        """Encodes text as it stands behind other text: a tokenizer may treat the start of a text in its own way."""
        anchor, both = [self._encode(t) for t in (_ANCHOR, _ANCHOR + text)]
        return both[len(anchor) :]

    def _controls(self, token_ids: Sequence[int]) -> list[int]:
        return [token for token in token_ids if token in self._control]

    def _encode(self, text: str) -> list[int]:
        """Encodes a response: text that spells a special token stays text, and that of another added token, such as a
        tag of thinking, becomes that token."""
        return list(self._responses.encode(text, add_special_tokens=False).ids)

    def _decode(self, token_ids: Sequence[int]) -> str:
        text: str = self._tokenizer.decode(list(token_ids), clean_up_tokenization_spaces=False)
        return text


def _copy(backend: Any, literal: bool) -> Any:
    """A copy of the tokenizer that always takes special tokens in a text literally, or never does."""
    made = copy.deepcopy(backend)
    made.no_truncation()
    made.no_padding()
    made.encode_special_tokens = literal
    return made
