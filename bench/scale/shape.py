"""What is asked for, in every measurement alike."""

from dataclasses import dataclass

from shared.records.evolution import EvolutionRequest, Message, Sampling
from shared.records.search import Search

STATES = 6
"""Sequences that an evolution decodes at a time: its population and the base response."""


@dataclass(frozen=True)
class EvolutionShape:
    """Evolutions of `rounds` rounds of `period` tokens; no response ends by itself, so all have as many."""

    rounds: int = 4
    period: int = 40

    def request(self, number: int) -> EvolutionRequest:
        """The numbered evolution: its instruction shares no beginning with another's."""
        text = f"Class {number} asks: how do the tides of the sea follow the moon, and why are there two of them a day?"
        sampling, search = Sampling(self.rounds * self.period), Search(period=self.period, mutation="templates")
        return EvolutionRequest("darwin", (Message("user", text),), sampling, search, seed=number)
