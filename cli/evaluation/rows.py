"""What an evaluation writes and the report reads: one row per (question, method, setting, seed)."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from shared.methods import Method
from shared.records.evolution import Seconds, StoppedBy, Tokens


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Candidate(_Frozen):
    """One final response of best-of-n, in the order of sampling; `tokens` were sampled for it."""

    text: str
    guide: float
    tokens: int
    judge: float | None = None


class Turn(_Frozen):
    """One instruction of a question and its answer.

    `guide` is the reward that selected the answer, `judge` that of a model which did not guide; None until judged.
    `base` is the plain response of the same evolution. `candidates` are given for best-of-n only: any n up to theirs
    can be derived from them. Times are Unix seconds; `seconds` are by stage, as the evolution recorded them.
    """

    prompt: str
    answer: str
    answer_tokens: int
    instruction: str
    guide: float
    judge: float | None = None
    base: str
    base_tokens: int
    base_guide: float
    base_judge: float | None = None
    candidates: tuple[Candidate, ...] = ()
    tokens: Tokens
    seconds: Seconds
    rounds: int
    stopped_by: StoppedBy | None = None
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


def cell_name(method: str, setting: dict[str, Any]) -> str:
    """`darwin cycles=2 lookahead=16`; settings in alphabetical order."""
    return " ".join([method, *(f"{name}={value}" for name, value in sorted(setting.items()))])
