"""What the evolution asks of rewards, and what they say: of each response by itself, or of all of a population."""

from dataclasses import dataclass, field

from shared.records.events import Comparison


@dataclass(frozen=True)
class Score:
    """Score `text` as a response to the original conversation; a `partial` one goes on, `final` is a cycle's last.
    `self_certainty` is the response's, None where nobody knows it.
    """

    cycle: int
    round: int
    state: int
    text: str
    final: bool
    partial: bool = False
    self_certainty: float | None = field(default=None, repr=False)

    @property
    def key(self) -> tuple[object, ...]:
        return ("score", self.cycle, self.round, self.state, self.final)


@dataclass(frozen=True)
class ScoreTogether:
    """Score responses with each other, in one call: those of the cycle's states and, where they are `final`, those of
    earlier cycles, which are named by their cycle and state, and have no round.
    """

    cycle: int
    round: int
    scores: tuple[Score, ...]
    final: bool

    @property
    def key(self) -> tuple[object, ...]:
        return ("score together", self.cycle, self.round, self.final)


@dataclass(frozen=True)
class Scored:
    """A state's text was scored, with `computed_tokens` by reward models. The other fields are a `State`'s.

    `comparisons` are those of the call, by places in it; they come with its first outcome, as its tokens do.
    """

    cycle: int
    round: int
    state: int
    reward: float
    components: dict[str, float] = field(default_factory=dict)
    computed_tokens: int = 0
    abstained: str = ""
    embedding: str = ""
    breaks: str = ""
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class ScoredTogether:
    """All of a population were scored, in the order in which that was asked for: all of them, or none."""

    cycle: int
    round: int
    scores: tuple[Scored, ...]
