"""Formats within vLLM: a logits processor that leaves each sequence the tokens that its format allows.

vLLM's own structured outputs begin at the first sampled token, and know nothing of a response that was begun in
another call. This one replays the response's ids first. vLLM loads it by name, in the process that samples.
"""

from typing import Any

import torch
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from services.generation.checkpoint import read_checkpoint
from services.generation.engine import TokenSequence
from services.generation.grammars import Matcher, Rows, of_tokenizer
from shared.records.formats import ResponseFormat

_ARGUMENT = "darwin_format"


def arguments_of(sequence: TokenSequence) -> dict[str, Any]:
    """What of `SamplingParams.extra_args` tells `FormatProcessor` of the sequence's format; empty without one."""
    wanted = sequence.sampling.format
    if wanted is None:
        return {}
    return {_ARGUMENT: [wanted.kind, wanted.definition, len(sequence.formed)]}


class _Row:
    """A sequence under a format. `sampled` is vLLM's own list, which grows with each step."""

    def __init__(self, matcher: Matcher, sampled: list[int]) -> None:
        self._matcher = matcher
        self._sampled = sampled
        self._accepted = 0

    def matcher(self) -> Matcher:
        """The matcher, after every token sampled."""
        fresh = self._sampled[self._accepted :]
        self._accepted += len(fresh)
        self._matcher.accept(fresh)
        return self._matcher


class FormatProcessor(LogitsProcessor):  # type: ignore[misc]  # vLLM is installed on some machines only
    """Blocks what formats do not allow; sequences without one are left as they are."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        self._model = vllm_config.model_config.model
        self._grammars: Any = None
        self._rows: dict[int, _Row] = {}

    def is_argmax_invariant(self) -> bool:
        return False

    def update_state(self, batch_update: Any) -> None:
        process_dict_updates(self._rows, batch_update, self._row)

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        if self._rows:
            places = sorted(self._rows)
            allowed = Rows([self._rows[place].matcher() for place in places]).allowed(logits.shape[1])
            block(logits, places, allowed)
        return logits

    def _row(self, params: Any, prompt: list[int] | None, sampled: list[int]) -> _Row | None:
        argument = (params.extra_args or {}).get(_ARGUMENT)
        if argument is None:
            return None
        if self._grammars is None:
            checkpoint = read_checkpoint(self._model)
            self._grammars = of_tokenizer(checkpoint.tokenizer, checkpoint.vocabulary, checkpoint.eos_ids)
        kind, definition, given = argument
        matcher = self._grammars.matcher(ResponseFormat(kind, definition))
        if given:
            matcher.accept((prompt or [])[-given:])
        return _Row(matcher, sampled)


def block(logits: torch.Tensor, places: list[int], allowed: Any) -> None:
    """Makes the logits of tokens that are not allowed -inf: `allowed` has a row of bool for each of the `places`."""
    blocked = torch.from_numpy(~allowed).to(logits.device)
    if len(places) == logits.shape[0]:
        logits.masked_fill_(blocked, -torch.inf)
    else:
        for row, place in enumerate(places):
            logits[place].masked_fill_(blocked[row], -torch.inf)
