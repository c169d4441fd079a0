"""An evolution in one line, as lists show it."""

from dataclasses import dataclass

from shared.methods import Method
from shared.records.evolution import Record, Status, StoppedBy
from shared.records.turns import instruction_of

_PREVIEW_CHARACTERS = 160


@dataclass(frozen=True)
class Summary:
    """What a list shows of an evolution. `instruction` is cut; rewards are None until known."""

    id: str
    tenant: str
    method: Method
    status: Status
    created_at: float
    instruction: str
    trace_id: str = ""
    finished_at: float | None = None
    reward: float | None = None
    base_reward: float | None = None
    rounds: int = 0
    generated_tokens: int = 0
    stopped_by: StoppedBy | None = None
    error: str | None = None

    @property
    def gain(self) -> float | None:
        """Reward over the base response's; None where one of them is not known."""
        return None if self.reward is None or self.base_reward is None else self.reward - self.base_reward

    @property
    def seconds(self) -> float | None:
        """From acceptance to the end; None while it runs."""
        return None if self.finished_at is None else self.finished_at - self.created_at


def summary_of(record: Record) -> Summary:
    """The record in one line."""
    request, result = record.request, record.result
    best = result.choices[0] if result and result.choices else None
    return Summary(
        id=record.id,
        tenant=request.tenant,
        method=request.method,
        status=record.status,
        created_at=record.created_at,
        instruction=" ".join(instruction_of(request.messages).split())[:_PREVIEW_CHARACTERS],
        trace_id=record.trace.trace_id if record.trace else "",
        finished_at=record.finished_at,
        reward=best.reward if best else None,
        base_reward=result.base.reward if result and result.base else None,
        rounds=result.rounds if result else 0,
        generated_tokens=result.tokens.generated if result else 0,
        stopped_by=result.stopped_by if result else None,
        error=record.error.code if record.error else None,
    )
