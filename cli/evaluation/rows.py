"""What an evaluation writes and the report reads: one row per (question, method, setting, seed)."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.methods import Method
from shared.records.evolution import Seconds, StoppedBy, Tokens


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Candidate(_Frozen):
    """One final response; it has `tokens`. `judge` is the first judge's score, `judges` every judge's by name."""

    text: str
    guide: float
    tokens: int
    judge: float | None = None
    judges: dict[str, float] = {}


class Turn(_Frozen):
    """One instruction of a question and its answer.

    `guide` is the reward that selected the answer, `judge` that of the first of those which did not guide, None until
    judged; `judges` has all of them by name. `base` is the plain response of the same evolution. `candidates` are given
    for best-of-n only, in the order of sampling: any n up to theirs can be derived from them. `population` are the
    distinct final responses of a search, best by guide first. `profile` is the one that guided, as name@version, of
    `profile_owner`, a tenant, or empty where all may use it. Times are Unix seconds; `seconds` are by stage, as the
    evolution recorded them.
    """

    prompt: str
    answer: str
    answer_tokens: int
    instruction: str
    guide: float
    judge: float | None = None
    judges: dict[str, float] = {}
    base: str
    base_tokens: int
    base_guide: float
    base_judge: float | None = None
    base_judges: dict[str, float] = {}
    candidates: tuple[Candidate, ...] = ()
    population: tuple[Candidate, ...] = ()
    tokens: Tokens
    seconds: Seconds
    rounds: int
    stopped_by: StoppedBy | None = None
    profile: str = ""
    profile_owner: str | None = None
    evolution: str
    started_at: float
    finished_at: float


class Row(_Frozen):
    """A question answered by one method; `setting` holds what differs from the common part of the plan.

    `versions` names code, models and hardware.
    """

    question: str
    category: str = ""
    method: Method
    setting: dict[str, Any]
    seed: int
    turns: tuple[Turn, ...]
    versions: dict[str, str]

    @property
    def cell(self) -> str:
        """What is compared: method and setting, as one line."""
        return cell_name(self.method, self.setting)


def judge_names(rows: Sequence[Row]) -> tuple[str, ...]:
    """The judges whose scores any row holds, in their order; empty where no score has a judge's name."""
    return tuple(dict.fromkeys(name for row in rows for turn in row.turns for name in turn.judges))


def judged_by(row: Row, judge: str) -> Row:
    """The row with the scores of this one of its judges as `judge`; None where it has none of them."""

    def rejudged(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
        return tuple(each.model_copy(update={"judge": each.judges.get(judge)}) for each in candidates)

    turns = tuple(
        turn.model_copy(
            update={
                "judge": turn.judges.get(judge),
                "base_judge": turn.base_judges.get(judge),
                "candidates": rejudged(turn.candidates),
                "population": rejudged(turn.population),
            }
        )
        for turn in row.turns
    )
    return row.model_copy(update={"turns": turns})


def cell_name(method: str, setting: dict[str, Any]) -> str:
    """`darwin cycles=2 lookahead=16`; settings in alphabetical order."""
    return " ".join([method, *(f"{name}={value}" for name, value in sorted(setting.items()))])
