"""What happened to an evolution, in order: the events that are saved with it and streamed to whoever follows it."""

from dataclasses import dataclass
from typing import Literal

from shared.methods import Method
from shared.records.evolution import Failure, MutantSource, Status, StoppedBy


@dataclass(frozen=True)
class CycleStarted:
    """A parent was drawn from the archive."""

    cycle: int
    parent: str
    type: Literal["cycle.started"] = "cycle.started"


@dataclass(frozen=True)
class MutantAccepted:
    """A state of the population received its instruction."""

    cycle: int
    state: int
    text: str
    operator: str
    source: MutantSource
    type: Literal["mutant.accepted"] = "mutant.accepted"


@dataclass(frozen=True)
class WishesWithheld:
    """The mutants of this cycle and of later ones do not tell these wishes of the profile: the conversation demands
    otherwise."""

    cycle: int
    wishes: tuple[str, ...]
    type: Literal["wishes.withheld"] = "wishes.withheld"


@dataclass(frozen=True)
class BaseScored:
    """The response to the original conversation is complete. `text` is its answer, `reasoning` what came before, and
    `abstained` why its reward is not to be trusted. `breaks` is a requirement that it breaks.
    """

    text: str
    reward: float
    tokens: int
    reasoning: str = ""
    abstained: str = ""
    breaks: str = ""
    type: Literal["base.scored"] = "base.scored"


@dataclass(frozen=True)
class Replacement:
    """`state` took the response of `donor`."""

    state: int
    donor: int


@dataclass(frozen=True)
class RoundFinished:
    """Every state was scored, badly rewarded ones were replaced.

    Lists are indexed by state and describe the population before replacement, `finished` after it: who decodes no
    further, complete or dropped. `tokens` were
    sampled for it, those of the base response apart. `texts` are answers so far, and `reasoning` what was thought
    before them, empty where no state has thought anything. Rewards are null of states that are still thinking.
    `weights` are those by which donors were drawn, empty where the rule has none. `dropped` names the states that take
    no part any more, after this round or one before. `abstained` says why a state's reward is not to be trusted, and
    `breaks` which requirement it breaks first; both are empty where no state does. Where more of the answer is settled
    than before, `settled` is so many characters that all states that go on begin with.
    """

    cycle: int
    round: int
    texts: tuple[str, ...]
    rewards: tuple[float | None, ...]
    survivors: tuple[int, ...]
    replacements: tuple[Replacement, ...]
    finished: tuple[bool, ...]
    tokens: int
    reasoning: tuple[str, ...] = ()
    weights: tuple[float, ...] = ()
    dropped: tuple[int, ...] = ()
    abstained: tuple[str, ...] = ()
    settled: int = 0
    breaks: tuple[str, ...] = ()
    type: Literal["round.finished"] = "round.finished"

    @property
    def settled_answer(self) -> tuple[str, str]:
        """The beginning of the answer that is settled, and what was thought before it; empty where nothing new is."""
        if not self.settled:
            return "", ""
        going_on = self.finished.index(False)
        state = next((item.donor for item in self.replacements if item.state == going_on), going_on)
        return self.texts[state][: self.settled], self.reasoning[state] if self.reasoning else ""


@dataclass(frozen=True)
class Comparison:
    """By how much one response is preferred to another, in [0, 1], as a component of the reward says, by its name.
    Responses are named by their places among those that were scored together."""

    component: str
    first: int
    second: int
    preference: float


@dataclass(frozen=True)
class PopulationScored:
    """Responses were scored together, by rewards that mean something among them only: those of a round, or all that can
    be the answer where they are `final`. Those count for the archive and the answer from then on.

    `responses` names each by its cycle and state; the base response is state -1 of the cycle under way.
    """

    cycle: int
    round: int
    final: bool
    responses: tuple[tuple[int, int], ...]
    rewards: tuple[float, ...]
    comparisons: tuple[Comparison, ...] = ()
    type: Literal["population.scored"] = "population.scored"


@dataclass(frozen=True)
class ArchiveEntry:
    """An instruction and the reward its response earned."""

    instruction: str
    reward: float


@dataclass(frozen=True)
class Outlook:
    """What a further cycle promises: by how much it is expected to surpass the best response so far, how many tokens it
    would sample, and what they cost in units of reward. The search goes on unless the gain is less than the price.
    """

    gain: float
    tokens: float
    price: float


@dataclass(frozen=True)
class CycleFinished:
    """Final responses are scored, the archive is updated. There is an outlook where a further cycle has a price."""

    cycle: int
    rewards: tuple[float, ...]
    candidates: tuple[ArchiveEntry, ...]
    archive: tuple[ArchiveEntry, ...]
    best_reward: float
    outlook: Outlook | None = None
    type: Literal["cycle.finished"] = "cycle.finished"


@dataclass(frozen=True)
class Ended:
    """The last event of every evolution."""

    status: Status
    stopped_by: StoppedBy | None = None
    error: Failure | None = None
    type: Literal["evolution.ended"] = "evolution.ended"


@dataclass(frozen=True)
class Accepted:
    """The first event of every evolution, with the reward profile and whose that is, as the request has them."""

    method: Method
    profile: str = ""
    profile_owner: str | None = None
    type: Literal["evolution.accepted"] = "evolution.accepted"


Event = (
    Accepted
    | CycleStarted
    | MutantAccepted
    | WishesWithheld
    | BaseScored
    | PopulationScored
    | RoundFinished
    | CycleFinished
    | Ended
)
