"""The values of the evolution: what it holds, the effects that it wants performed, and their outcomes. All frozen."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from services.orchestrator.core.responses import NO_CALLS, NOTHING_SETTLED, Called, Response, Settled
from services.orchestrator.core.scoring import Score as Score
from services.orchestrator.core.scoring import Scored as Scored
from services.orchestrator.core.scoring import ScoredTogether as ScoredTogether
from services.orchestrator.core.scoring import ScoreTogether as ScoreTogether
from services.orchestrator.core.spent import Spent
from shared.picking.final import BASE as BASE
from shared.records.events import ArchiveEntry, Event
from shared.records.evolution import MutantSource, StoppedBy
from shared.records.logprobs import TokenLogprobs
from shared.records.search import Search


@dataclass(frozen=True, kw_only=True)
class Config(Search):
    """The settings of the search, and those by which methods differ; `presets` makes it. Lengths are in tokens.

    With `mutate`, each state of a cycle awaits a mutant of the parent; without, all carry the original instruction.
    With `replace`, the selection rule decides after each round whose response goes on in whose place.
    `archive_candidates` instructions of a cycle are offered to the archive. With `complete_first`, where the form of
    responses is fixed, one that ended by itself is a better answer than any that was cut. With `rescore`, as in the
    paper's code, responses are scored in every round and at the cycle's end, whether they have changed or not. Rewards
    that are `relative` mean something among those that were scored together, see `relative`.
    """

    mutate: bool
    replace: bool
    max_tokens: int
    archive_candidates: int = 2
    complete_first: bool = False
    rescore: bool = False
    held_back: int = 0
    relative: bool = False


Phase = Literal["idle", "decode", "short", "held", "score", "scored"]
"""What is next for a state: a round that it takes part in ("idle"); a piece, or the rest of one that the budget has cut
("short"); its scoring, at once or once all that are scored have decoded ("held"); nothing ("scored")."""


@dataclass(frozen=True)
class State:
    """A mutant and its response. `instruction` is None until the mutant is accepted.

    `scored_text` is what the next or last score is about: the response, with its lookahead where there is one.
    `reward` is None until it is scored, and not to be trusted where it `abstained`, for the reason that this names.
    `breaks` names the profile's first requirement that it breaks. `ahead` is the response with what is known of the
    piece under way, `allowance` how many tokens it may yet sample in this round; None: no budget bounds that. One that
    was `dropped` ended unfinished. `embedding` is that of the scored text, see `diversity`, where the search asks.
    """

    instruction: str | None = None
    phase: Phase = "decode"
    response: Response = field(default_factory=Response)
    scored_text: str = ""
    reward: float | None = None
    components: dict[str, float] = field(default_factory=dict)
    ahead: Response | None = None
    allowance: int | None = None
    abstained: str = ""
    dropped: bool = False
    embedding: str = ""
    breaks: str = ""

    @property
    def latest(self) -> Response:
        """The response with everything that has been sampled for it."""
        return self.ahead or self.response

    @property
    def grown(self) -> int:
        """How many tokens of the piece that is being decoded are there already."""
        return len(self.latest.token_ids) - len(self.response.token_ids)


@dataclass(frozen=True)
class Final:
    """A response that can be the answer. `state` is BASE for the base response."""

    cycle: int
    state: int
    instruction: str
    response: Response
    reward: float | None
    components: dict[str, float]
    abstained: str = ""
    breaks: str = ""


@dataclass(frozen=True)
class EvolutionState:
    """The whole search. `survivals` lists survivor indices of the cycle's rounds in the order they were seen.

    `round_tokens` were sampled for the round under way, those of the base response apart: how far that is, is chance.
    `checkpoint` grows by one at the end of each round and cycle: the points at which it is worth saving.
    `mutation_allowance` is how many tokens the cycle's mutation may sample; None: as many as it likes. `scarce` says
    that the round might need more reward calls than are left, so that who is scored is decided once all have decoded;
    `ending` why the search ends as soon as those who are scored have their rewards. `gains` are the final rewards so
    far, each less that of its cycle's parent, where further cycles have a price. The answer begins with `settled`.
    `wishes_withheld` are those of the profile that no mutant has told so far, since the conversation demands otherwise.
    """

    config: Config
    instruction: str
    seed: int
    base: State
    archive: tuple[ArchiveEntry, ...] = ()
    cycle: int = 0
    round: int = 0
    rounds: int = 0
    parent: str = ""
    population: tuple[State, ...] = ()
    mutating: bool = False
    scoring_finals: bool = False
    survivals: tuple[int, ...] = ()
    finals: tuple[Final, ...] = ()
    spent: Spent = field(default_factory=Spent)
    round_tokens: int = 0
    checkpoint: int = 0
    mutation_allowance: int | None = None
    scarce: bool = False
    ending: StoppedBy | None = None
    finished: bool = False
    stopped_by: StoppedBy | None = None
    settled: Settled = NOTHING_SETTLED
    gains: tuple[float, ...] = ()
    wishes_withheld: tuple[str, ...] = ()

    @property
    def best_reward(self) -> float | None:
        """Reward of the best final response so far; None before the first."""
        return max((final.reward for final in self.finals if final.reward is not None), default=None)

    def states(self) -> Iterator[tuple[int, State]]:
        """The base state, then the population, each with its index."""
        yield BASE, self.base
        yield from enumerate(self.population)

    @property
    def awaits_mutants(self) -> bool:
        return any(state.instruction is None for state in self.population)


@dataclass(frozen=True)
class Mutate:
    """Rewrite `parent` into `count` instructions, with at most `max_tokens` sampled tokens; None: no bound. One of them
    combines the responses of `crossover`, best first, and one improves that of `refine`; none where these are empty.
    """

    cycle: int
    parent: str
    count: int
    exclude: tuple[str, ...]
    seed: int
    max_tokens: int | None = None
    crossover: tuple[str, ...] = field(default=(), repr=False)
    refine: str = field(default="", repr=False)

    @property
    def key(self) -> tuple[object, ...]:
        return ("mutate", self.cycle)


@dataclass(frozen=True)
class Generate:
    """Continue one state's response by up to `max_new_tokens`, and look `lookahead` tokens further. The method goes on
    with it where it is `to_be_continued`, and where a budget alone has cut the piece, if the engine can."""

    cycle: int
    round: int
    state: int
    instruction: str
    token_ids: tuple[int, ...]
    max_new_tokens: int
    lookahead: int
    seed: int
    to_be_continued: bool = False

    @property
    def key(self) -> tuple[object, ...]:
        return ("generate", self.cycle, self.round, self.state, len(self.token_ids))


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do."""

    @property
    def key(self) -> tuple[object, ...]:
        return ("finish",)


Effect = Mutate | Generate | Score | ScoreTogether | Finish


@dataclass(frozen=True)
class Mutated:
    """A mutant was accepted; it goes to the first state that has none. So many tokens were sampled for it."""

    cycle: int
    text: str
    operator: str = ""
    source: MutantSource = "model"
    generated_tokens: int = 0


@dataclass(frozen=True)
class MutationEnded:
    """No more mutants come; states without one take the parent. Tokens are those that came with no mutant. No mutant
    tells the wishes that are `withheld`, since the conversation demands otherwise."""

    cycle: int
    generated_tokens: int = 0
    withheld: tuple[str, ...] = ()


@dataclass(frozen=True)
class Generated:
    """A piece was decoded.

    `text` is the whole response so far, `scored_text` the same with the lookahead. `finish` is "length" where the
    response can go on, "context" where the model's context is full. `queued_seconds` is how long the engine let it
    wait, if that is known. `logprobs` are those of the `token_ids`, if asked for. `reasoning`, its tokens and
    `thinking` are a `Response`'s, and `certainty` is the sum over the `token_ids`. A `partial` outcome is of a piece
    under way; `token_ids`, `logprobs`, `certainty` and numbers of tokens add up, but for those of reasoning. Where ids
    merely stand for text, `kept` tokens are of the response. `served_by` names one of several endpoints.
    """

    cycle: int
    round: int
    state: int
    token_ids: tuple[int, ...]
    text: str
    scored_text: str
    finish: Literal["length", "stop", "context"]
    generated_tokens: int
    prompt_tokens: int = 0
    cached_tokens: int = 0
    queued_seconds: float | None = None
    called: Called = NO_CALLS
    logprobs: tuple[TokenLogprobs, ...] = ()
    partial: bool = False
    kept: int | None = None
    served_by: str = field(default="", repr=False)
    reasoning: str = ""
    reasoning_tokens: int = 0
    thinking: bool = False
    certainty: float = 0.0

    @property
    def kept_tokens(self) -> int:
        """Sampled for the response: without the lookahead, with the end-of-sequence token."""
        ended_by_token = self.finish == "stop" and self.generated_tokens > len(self.token_ids)
        return len(self.token_ids) + ended_by_token if self.kept is None else self.kept


@dataclass(frozen=True)
class Stopped:
    """Somebody else's limit was reached: answer with the best so far."""

    reason: StoppedBy


Outcome = Mutated | MutationEnded | Generated | Scored | ScoredTogether | Stopped

Step = tuple[EvolutionState, tuple[Event, ...]]
"""The next evolution, and the events that led to it."""


class UnexpectedOutcome(Exception):
    """An outcome nobody asked for: a defect of the caller, never of the data."""
