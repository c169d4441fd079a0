"""Biases and penalties on the logits of a batch, the same for a response decoded at once and in pieces."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from services.generation.engine import TokenSequence
from services.generation.messages import SamplingOptions


@dataclass(frozen=True)
class Penalties:
    """Those of one sequence, as `SamplingOptions` has them."""

    presence: float
    frequency: float
    repetition: float

    @classmethod
    def of(cls, sampling: SamplingOptions) -> "Penalties | None":
        """None where there are none."""
        found = cls(sampling.presence_penalty, sampling.frequency_penalty, sampling.repetition_penalty)
        return None if found == cls(0.0, 0.0, 1.0) else found


class Tally:
    """Which tokens of the vocabulary the prompt of one sequence holds, and how often its response holds each."""

    def __init__(
        self,
        penalties: Penalties,
        prompt: Sequence[int],
        response: Sequence[int],
        vocabulary: int,
        device: torch.device | str,
    ) -> None:
        self.penalties = penalties
        self.prompt = _counts(prompt, vocabulary, device) > 0
        self.response = _counts(response, vocabulary, device)

    def add(self, token_ids: Sequence[int]) -> None:
        """Counts tokens that were added to the response."""
        for token in token_ids:
            self.response[token] += 1


def penalised(logits: torch.Tensor, tallies: Sequence[Tally]) -> torch.Tensor:
    """The logits, shape (tallies, vocabulary), after the penalties: repetition first, then frequency and presence."""

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values, dtype=logits.dtype, device=logits.device).unsqueeze(1)

    counts = torch.stack([tally.response for tally in tallies]).to(logits.dtype)
    said = counts > 0
    repetition = column([tally.penalties.repetition for tally in tallies])
    factor = torch.where(said | torch.stack([tally.prompt for tally in tallies]), repetition, 1.0)
    logits = torch.where(logits > 0, logits / factor, logits * factor)
    logits = logits - column([tally.penalties.frequency for tally in tallies]) * counts
    return logits - column([tally.penalties.presence for tally in tallies]) * said


class Adjustments:
    """The biases and penalties of a batch whose rows keep their places."""

    def __init__(self, sequences: Sequence[TokenSequence], device: torch.device | str) -> None:
        self._sequences = sequences
        self._device = device
        biased = [(row, *bias) for row, each in enumerate(sequences) for bias in each.sampling.logit_bias.items()]
        self._at = tuple(torch.tensor([one[i] for one in biased], dtype=torch.long, device=device) for i in (0, 1))
        self._biases = torch.tensor([one[2] for one in biased], device=device)
        self._penalties = {
            row: found for row, each in enumerate(sequences) if (found := Penalties.of(each.sampling)) is not None
        }
        self._tallies: list[Tally] = []

    def __call__(self, logits: torch.Tensor, sampled: torch.Tensor) -> torch.Tensor:
        """The adjusted logits, shape (rows, vocabulary).

        `sampled` are the tokens of each row so far, shape (rows, steps), one more with each call.
        """
        if len(self._biases):
            logits = logits.index_put(self._at, self._biases.to(logits.dtype), accumulate=True)
        if self._penalties:
            places = torch.tensor(list(self._penalties), device=self._device)
            tallies = self._counted(logits.shape[1], sampled[places])
            logits = logits.index_copy(0, places, penalised(logits[places], tallies))
        return logits

    def _counted(self, vocabulary: int, sampled: torch.Tensor) -> list[Tally]:
        if not self._tallies:
            self._tallies = [self._tally(row, vocabulary) for row in self._penalties]
        if sampled.shape[1]:
            for tally, token in zip(self._tallies, sampled[:, -1].tolist(), strict=True):
                tally.add([token])
        return self._tallies

    def _tally(self, row: int, vocabulary: int) -> Tally:
        sequence = self._sequences[row]
        return Tally(self._penalties[row], sequence.prompt, sequence.response, vocabulary, self._device)


def _counts(token_ids: Sequence[int], vocabulary: int, device: torch.device | str) -> torch.Tensor:
    """How often each token of the vocabulary is among the ids; those of no logit, as for images, count nowhere."""
    ids = torch.tensor([token for token in token_ids if token < vocabulary], dtype=torch.long)
    return torch.bincount(ids, minlength=vocabulary).to(device, torch.int32)
