"""The JSON of an evolution that is saved in parts, as `packing` writes and reads it."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from services.orchestrator.core.responses import NO_CALLS, Called
from services.orchestrator.core.values import Phase
from shared.records.evolution import FinishReason, StoppedBy
from shared.records.logprobs import TokenLogprobs

SCHEMA = 2
"""The number of the schema of parts, which each head has. A change that other versions would read in another sense
takes the next one; a new field needs none, because versions without it refuse what they do not know.
"""
LONGER_ROWS = 3
"""The schema of an evolution with rows of states or finals that earlier versions would take for broken ones, since they
are longer. One without such rows has the number before, so that workers of those versions go on with it.
"""
WITH_BREAKS = 4
"""The schema of an evolution with rows that are longer still, as some response in it breaks a requirement."""
WITH_CERTAINTY = 5
"""The schema of an evolution with rows of responses that are longer, as they say how certain the model was."""
KNOWN = {2, 3, 4, 5}
"""The numbers of the schemas that are read."""


class ResponseDelta(NamedTuple):
    """A response, by what is new in it against the response `parent` (-1: an empty one).

    It has the text, token ids, pieces and log probabilities of that, less so many at their ends as `less` says, and
    then those here; its `certainty` is the whole one. Where it is not to be continued, `token_ids` is the number of the
    new ones only. `thought` says of its reasoning how much of its beginning that of `parent` has, what follows, how
    many tokens it is, and whether the response is thinking; None where there is none.
    """

    parent: int
    text: str
    token_ids: tuple[int, ...] | int
    pieces: tuple[tuple[int, int, int, int, int], ...]
    finish: FinishReason | None = None
    less: tuple[int, int, int, int] = (0, 0, 0, 0)
    called: Called = NO_CALLS
    logprobs: tuple[TokenLogprobs, ...] = ()
    thought: tuple[int, str, int, bool] | None = None
    certainty: float = 0.0


class SavedFinal(NamedTuple):
    """A response that can be the answer; `instruction` and `response` are indices."""

    cycle: int
    state: int
    instruction: int
    response: int
    reward: float | None
    components: dict[str, float] | str = {}  # noqa: RUF012  # nobody changes it
    abstained: str = ""
    breaks: str = ""


class SavedStateRow(NamedTuple):
    """A state; `instruction`, `response` and `ahead` are indices, -1 for an empty response.

    `scored` is None where the score is about the whole text of the response; else it says how much of that the scored
    text begins with, and what follows.
    """

    instruction: int | None
    phase: Phase
    response: int = -1
    reward: float | None = None
    components: dict[str, float] | str = {}  # noqa: RUF012  # nobody changes it
    scored: tuple[int, str] | None = None
    ahead: int | None = None
    allowance: int | None = None
    abstained: str = ""
    dropped: bool = False
    embedding: str = ""
    breaks: str = ""


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one save added. Texts, responses and finals are numbered through all parts; text 0 is the original
    instruction. Of each text but that there is how much of its beginning an earlier one has, whose number comes first,
    and what follows. The first part alone has the seed, and the settings that are not by default.
    """

    config: dict[str, Any] | None = None
    seed: int | None = None
    texts: tuple[str | tuple[int, int, str], ...] = ()
    responses: tuple[ResponseDelta, ...] = ()
    finals: tuple[SavedFinal, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Head:
    """Everything else, with the names of `EvolutionState`. The instructions of `archive` and `parent` are indices of
    texts, and `finals` are indices of finals. What is `settled` is so many characters of a state's answer, by its
    number, and what that state has thought.
    """

    base: SavedStateRow
    spent: tuple[int, ...]
    population: tuple[SavedStateRow, ...] = ()
    archive: tuple[tuple[int, float], ...] = ()
    parent: int | None = None
    finals: tuple[int, ...] = ()
    cycle: int = 0
    round: int = 0
    rounds: int = 0
    mutating: bool = False
    scoring_finals: bool = False
    survivals: tuple[int, ...] = ()
    round_tokens: int = 0
    checkpoint: int = 0
    mutation_allowance: int | None = None
    scarce: bool = False
    ending: StoppedBy | None = None
    finished: bool = False
    stopped_by: StoppedBy | None = None
    settled: tuple[int, int] | None = None
    gains: tuple[float, ...] = ()
    wishes_withheld: tuple[str, ...] = ()


PLAIN = (
    *("cycle", "round", "rounds", "mutating", "scoring_finals", "survivals", "round_tokens", "checkpoint"),
    *("mutation_allowance", "scarce", "ending", "finished", "stopped_by", "gains", "wishes_withheld"),
)
"""The fields of `Head` that are as in the evolution, and left out where they are at their defaults."""

PART: TypeAdapter[Part] = TypeAdapter(Part)
HEAD: TypeAdapter[Head] = TypeAdapter(Head)
