"""Log probabilities as they are told: of tokens by their bytes, which only the engine's tokenizer knows."""

import json
import math
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from services.generation.engine import Completion, Likelihoods, ModelInfo
from shared.errors import Internal, Unsupported
from shared.records.logprobs import Alternative, TokenLogprobs

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
# JSON has no infinity; OpenAI writes this where a token is out of the question.
_LEAST = -9999.0


class TokenBytes:
    """The bytes of each token of a Hugging Face fast tokenizer, byte-level ones and those of sentencepiece."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, token_id: int) -> bytes:
        """The bytes that the token adds to a text, or the name of a special one; none of an id without a token."""
        added = self._added.get(token_id)
        if added is not None:
            return added
        piece = self._tokenizer.convert_ids_to_tokens(token_id)
        if piece is None:
            return b""
        if self._byte_level:
            return bytes(_BYTES[character] for character in piece if character in _BYTES)
        byte = _BYTE.fullmatch(piece)
        return bytes([int(byte.group(1), 16)]) if byte else piece.replace("\u2581", " ").encode()

    @cached_property
    def _added(self) -> dict[int, bytes]:
        return {token_id: token.content.encode() for token_id, token in self._tokenizer.added_tokens_decoder.items()}

    @cached_property
    def _byte_level(self) -> bool:
        """Whether the characters of pieces stand for bytes."""
        decoder = json.loads(self._tokenizer.backend_tokenizer.decoder.__getstate__())
        return any(step["type"] == "ByteLevel" for step in decoder.get("decoders", [decoder]))


def _byte_level_alphabet() -> dict[str, int]:
    """The byte that each character stands for: those that are printable stand for themselves, and the others are
    numbered from 256 on (Radford et al., 2019: GPT-2's encoder)."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


_BYTES = _byte_level_alphabet()


def told(completion: Completion, kept: Sequence[int], info: ModelInfo) -> tuple[TokenLogprobs, ...]:
    """The log probabilities of the tokens that are kept, which are the first of a completion's.

    Raises:
        Internal: the engine gave none for one of them.
    """
    if len(completion.logprobs) < len(kept):
        raise Internal(f"the {info.engine} engine gave no log probabilities for a token")
    special = info.end_ids | info.hidden_tokens.ids

    def token(token_id: int, logprob: float) -> Alternative:
        spelled = b"" if info.token_bytes is None else info.token_bytes(token_id)
        return Alternative(spelled.decode("latin-1"), min(0.0, max(_LEAST, logprob)), token_id in special)

    def position(token_id: int, found: Likelihoods) -> TokenLogprobs:
        return TokenLogprobs(*token(token_id, found.logprob), tuple(token(*each) for each in found.top))

    return tuple(map(position, kept, completion.logprobs))


def certainties_of(found: Sequence[Likelihoods], kept: Sequence[int], info: ModelInfo) -> tuple[float, ...]:
    """The model's self-certainty at each of the tokens that are kept, which are the first of those that were sampled.

    Raises:
        Internal: the engine gave none for one of them.
        Unsupported: it is infinite, since the model rules tokens out altogether.
    """
    known = tuple(each.certainty for each in found[: len(kept)] if each.certainty is not None)
    if len(known) < len(kept):
        raise Internal(f"the {info.engine} engine gave no self-certainty for a token")
    if not all(map(math.isfinite, known)):
        raise Unsupported(
            f"the model {info.model} gives some tokens no probability at all, so that its self-certainty is infinite: "
            "take a reward profile without a component of type self_certainty",
            field="sampling.self_certainty",
        )
    return known
