"""Log probabilities as the generation service sends them."""

from shared.pb import generation_pb2 as pb
from shared.records.logprobs import Alternative, TokenLogprobs

# Those of the wire are of single precision, and would be stored with digits that mean nothing.
_DIGITS = 6


def logprobs_from_pb(message: pb.TokenLogprobs) -> TokenLogprobs:
    """The log probabilities at one position of a response."""
    return TokenLogprobs(*_token(message.chosen), tuple(map(_token, message.top)))


def _token(token: pb.TokenLogprobs.Token) -> Alternative:
    return Alternative(token.text.decode("latin-1"), round(token.logprob, _DIGITS), token.special)
