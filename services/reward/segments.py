"""How a tokenizer puts segments together: [CLS] question [SEP] answer [SEP], or as its own post-processor says."""

from dataclasses import dataclass
from typing import Any

from shared.text.encoding import TextEncoder


@dataclass(frozen=True)
class Frame:
    """The token ids around and between two segments; `types` are the segment numbers of the five parts."""

    before: tuple[int, ...] = ()
    between: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    types: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)

    @property
    def added(self) -> int:
        """How many tokens the frame itself has."""
        return len(self.before) + len(self.between) + len(self.after)

    def join(self, first: tuple[int, ...], second: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Token ids of both segments in the frame, and of each its segment's number."""
        parts = (self.before, first, self.between, second, self.after)
        types = [kind for part, kind in zip(parts, self.types, strict=True) for _ in part]
        return sum(parts, ()), tuple(types)


def frame_of(tokenizer: Any, pair: bool = False) -> Frame:
    """The frame of a fast tokenizer, read from what it makes of a short text or of two."""
    encoded = tokenizer("a", "b", return_token_type_ids=True) if pair else tokenizer("a", return_token_type_ids=True)
    segments, ids, types = encoded.sequence_ids(), encoded["input_ids"], encoded["token_type_ids"]
    first, last = segments.index(0), len(segments) - 1 - segments[::-1].index(1 if pair else 0)
    end = len(segments) - 1 - segments[::-1].index(0)
    second = segments.index(1) if pair else last + 1
    spans = ((0, first), (first, end + 1), (end + 1, second), (second, last + 1), (last + 1, len(ids)))
    before, _, between, _, after = (tuple(ids[start:stop]) for start, stop in spans)
    kinds = [types[start] if start < stop else 0 for start, stop in spans]
    return Frame(before, between, after, (kinds[0], kinds[1], kinds[2], kinds[3], kinds[4]))


def literal_text(tokenizer: Any) -> TextEncoder:
    """Encodes text in which no special token is one, but that for what the vocabulary lacks."""
    names = [str(token.content) for token in tokenizer.added_tokens_decoder.values() if token.special]
    return TextEncoder(tokenizer.backend_tokenizer, [name for name in names if name != tokenizer.unk_token])
