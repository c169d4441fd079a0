"""A response as the search holds it: its text, the calls of tools in it, and where its tokens come from."""

from dataclasses import dataclass

from shared.records.evolution import FinishReason
from shared.records.logprobs import TokenLogprobs
from shared.records.tools import ToolCall


@dataclass(frozen=True)
class Piece:
    """Tokens sampled in one go by one state: the unit of provenance. Copied responses share their pieces."""

    cycle: int
    round: int
    state: int
    start: int
    tokens: int


@dataclass(frozen=True)
class Called:
    """What a response calls: whole `calls`, and the text beside them.

    `canonical` is the text of the calls that is the same for all responses that call alike. `begun` says that a call
    was begun, within which the response may end. The calls are `valid` where each follows the schema of its tool.
    """

    begun: bool = False
    calls: tuple[ToolCall, ...] = ()
    canonical: str = ""
    beside: str = ""
    valid: bool = True


NO_CALLS = Called()


@dataclass(frozen=True)
class Response:
    """A response decoded so far. `finish` is None while it can be continued.

    `text` is what the model answered or, of a finished response with calls, what stands beside them. `reasoning` is
    what it thought before, for which the first `reasoning_tokens` of the ids stand, marks included; it is `thinking`
    where the response ends within that. `logprobs` are those of the `token_ids`, one each, where they were asked for.
    `certainty` is the sum over them of the model's self-certainty, 0 where that was not asked for.
    """

    token_ids: tuple[int, ...] = ()
    text: str = ""
    finish: FinishReason | None = None
    pieces: tuple[Piece, ...] = ()
    called: Called = NO_CALLS
    logprobs: tuple[TokenLogprobs, ...] = ()
    reasoning: str = ""
    reasoning_tokens: int = 0
    thinking: bool = False
    certainty: float = 0.0

    @property
    def self_certainty(self) -> float:
        """The mean over its token ids; 0 before the first."""
        return self.certainty / len(self.token_ids) if self.token_ids else 0.0

    @property
    def finished(self) -> bool:
        return self.finish is not None

    @property
    def valid(self) -> bool:
        """Whether it may be the answer before others: it ends within no thought, and it has begun no call, or each of
        its calls is whole and valid.
        """
        return not self.thinking and (not self.called.begun or bool(self.called.calls and self.called.valid))

    @property
    def comparable(self) -> bool:
        """Whether it takes part in replacement. A call that is half written says nothing to a reward of text, and one
        that were copied would vote twice.
        """
        return not self.roomless and not self.called.begun

    @property
    def undecided(self) -> bool:
        """Whether it is still thinking, and may yet come to an answer."""
        return self.thinking and not self.finished

    @property
    def begun(self) -> bool:
        """Whether anything of it can be shown."""
        return bool(self.whole_text or self.reasoning)

    @property
    def whole_text(self) -> str:
        """Text and calls, as rewards read them."""
        return "\n".join(filter(None, (self.text, self.called.canonical)))

    @property
    def tokens(self) -> int:
        """Tokens sampled for it, the end-of-sequence token included."""
        return sum(piece.tokens for piece in self.pieces)

    @property
    def roomless(self) -> bool:
        """Ended before its first token: its mutant fills the model's context. It is no answer and no donor."""
        return self.finish == "length" and not self.tokens


@dataclass(frozen=True)
class Settled:
    """The beginning of the answer that is settled: of its `text`, and the whole of what was thought before."""

    text: str = ""
    reasoning: str = ""

    def kept_by(self, response: Response) -> bool:
        """Whether the response begins so; every one does where nothing is settled."""
        return not self.text or (response.text.startswith(self.text) and response.reasoning == self.reasoning)


NOTHING_SETTLED = Settled()
