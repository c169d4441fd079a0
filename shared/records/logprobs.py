"""Log probabilities of a response's tokens, as an engine gave them, and those of the tokens that its text shows."""

import codecs
from collections.abc import Sequence
from typing import NamedTuple


class Alternative(NamedTuple):
    """A token that might have been next, and its natural log probability, at most 0.

    `token` holds the token's bytes, one character for each (Latin-1): a token may be a part of a character. It is the
    name of one that is `special`, which no text shows.
    """

    token: str
    logprob: float
    special: bool = False


class TokenLogprobs(NamedTuple):
    """A token of a response, and the likeliest tokens in its place, the likeliest first: those of the model's own
    distribution, before temperature, formats and whatever else shapes sampling. The first three fields are those of an
    `Alternative`.
    """

    token: str
    logprob: float
    special: bool = False
    top: tuple[Alternative, ...] = ()


def shown(tokens: Sequence[TokenLogprobs], text: str) -> tuple[TokenLogprobs, ...]:
    """Those of a response's tokens that its text shows: no special ones, and none behind its end, which may be a stop
    string. A token within which the text ends is cut there, in the place of the token among its alternatives too.

    All but the special ones, where the text is not what the tokens say one after another.
    """
    told = [each for each in tokens if not each.special]
    spelled = bytes_of("".join(each.token for each in told))
    decoded = spelled.decode(errors="replace")
    if not decoded.startswith(text) and decoded[:1] == " " and decoded[1:].startswith(text):
        # Some tokenizers leave out the space before the first word of what they decode.
        told[0] = _begun(told[0])
        spelled = spelled[1:]
    elif not decoded.startswith(text):
        return tuple(told)
    left, kept = _length(spelled, len(text)), []
    for each in told:
        if part := each.token[:left]:
            kept.append(each if part == each.token else _cut(each, part))
        left -= len(part)
    return tuple(kept)


def bytes_of(token: str) -> bytes:
    """The bytes that `Alternative.token` holds."""
    return token.encode("latin-1")


def _begun(first: TokenLogprobs) -> TokenLogprobs:
    top = tuple(each._replace(token=each.token.removeprefix(" ")) for each in first.top)
    return first._replace(token=first.token.removeprefix(" "), top=top)


def _cut(last: TokenLogprobs, part: str) -> TokenLogprobs:
    top = tuple(each._replace(token=part) if each.token == last.token else each for each in last.top)
    return last._replace(token=part, top=top)


def _length(spelled: bytes, characters: int) -> int:
    """How many of the bytes spell the first so many characters."""
    decoder, found = codecs.getincrementaldecoder("utf-8")("replace"), 0
    for index in range(len(spelled)):
        if found >= characters:
            return index
        found += len(decoder.decode(spelled[index : index + 1]))
    return len(spelled)
