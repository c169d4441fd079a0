"""What a worker holds of an evolution while it performs it."""

from dataclasses import dataclass

from services.orchestrator.adapters.packing import NOTHING_WRITTEN, Written
from services.orchestrator.core.values import EvolutionState
from shared.store.leases import Claim


@dataclass(frozen=True)
class HeldEvolution:
    """An evolution whose lease `holder` has, for the round that follows the record's version.

    `evolution` is the record's state, None where the evolution begins or its state cannot be read, and `written` what
    is stored of it. `request_changed` says that the record's request is another one than the stored one.
    """

    claim: Claim
    holder: str
    evolution: EvolutionState | None = None
    written: Written = NOTHING_WRITTEN
    request_changed: bool = False
