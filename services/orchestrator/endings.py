"""How an attempt at a round can end."""

from dataclasses import dataclass

from services.orchestrator.round import RoundExecution


@dataclass(frozen=True)
class Completed:
    """The round came to its checkpoint, or the search was stopped with the best response so far."""

    execution: RoundExecution


@dataclass(frozen=True)
class Interrupted:
    """This worker is stopping, so another one goes on with the round."""

    execution: RoundExecution


@dataclass(frozen=True)
class LeaseLost:
    """Another worker may be performing the round by now, so this one saves nothing."""


@dataclass(frozen=True)
class Failed:
    """An error ended the round.

    `execution` is None where nothing of the round can be kept. A `final` failure ends the evolution at once, however
    many attempts are left.
    """

    error: Exception
    execution: RoundExecution | None = None
    final: bool = False


RoundEnding = Completed | Interrupted | LeaseLost | Failed
