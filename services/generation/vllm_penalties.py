"""Penalties within vLLM: a logits processor that counts a response from its beginning, in whichever call that was.

vLLM's own presence and frequency penalties take what was decoded by earlier calls for a part of the prompt, and count
none of it. vLLM loads this one by name, in the process that samples.
"""

from typing import Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from services.generation.engine import TokenSequence
from services.generation.logit_adjustments import Penalties, Tally, penalised

_ARGUMENT = "darwin_penalties"


def arguments_of(sequence: TokenSequence) -> dict[str, Any]:
    """What of `SamplingParams.extra_args` tells `PenaltyProcessor` of the sequence's penalties; empty without any."""
    penalties = Penalties.of(sequence.sampling)
    if penalties is None:
        return {}
    return {_ARGUMENT: [penalties.presence, penalties.frequency, penalties.repetition, sequence.response_tokens]}


class _Row:
    """A sequence with penalties, `given` of whose prompt's last ids are its response's first. `sampled` is vLLM's own
    list, which grows with each step.
    """

    def __init__(self, penalties: Penalties, given: int, prompt: list[int], sampled: list[int]) -> None:
        self._penalties = penalties
        self._prompt, self._given = prompt[: len(prompt) - given], prompt[len(prompt) - given :]
        self._sampled = sampled
        self._counted = 0
        self._tally: Tally | None = None

    def tally(self, vocabulary: int, device: torch.device) -> Tally:
        """The tally, after every token sampled."""
        if self._tally is None:
            self._tally = Tally(self._penalties, self._prompt, self._given, vocabulary, device)
        fresh = self._sampled[self._counted :]
        self._counted += len(fresh)
        self._tally.add(fresh)
        return self._tally


class PenaltyProcessor(LogitsProcessor):  # type: ignore[misc]  # vLLM is installed on some machines only
    """Applies the penalties; sequences without any are left as they are."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        process_dict_updates(self._rows, batch_update, self._row)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        if self._rows:
            places = sorted(self._rows)
            tallies = [self._rows[place].tally(logits.shape[1], logits.device) for place in places]
            logits[places] = penalised(logits[places], tallies)
        return logits

    def _row(self, params: Any, prompt: list[int] | None, sampled: list[int]) -> _Row | None:
        argument = (params.extra_args or {}).get(_ARGUMENT)
        if argument is None:
            return None
        *penalties, given = argument
        return _Row(Penalties(*penalties), given, prompt or [], sampled)
