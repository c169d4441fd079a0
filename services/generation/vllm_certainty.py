"""Log probabilities and self-certainty within vLLM, which hands on the former of a few tokens only.

With each token whose log probabilities are asked for, vLLM hands on that token's rank among all, which nobody here
reads. In the process that samples it becomes the self-certainty, computed of the same raw log probabilities, and so
comes wherever they come. vLLM loads `CertaintyProcessor` by name in that process.
"""

from typing import Any

import torch
from vllm.v1.outputs import LogprobsTensors
from vllm.v1.sample.logits_processor import LogitsProcessor
from vllm.v1.sample.sampler import Sampler

from services.generation.engine import Likelihoods
from services.generation.token_sampling import certainties


def _gathered(logprobs: torch.Tensor, num_logprobs: int, token_ids: torch.Tensor) -> LogprobsTensors:
    """What vLLM's own function of this place gives, but for the ranks, which it would count."""
    sampled, top = token_ids.unsqueeze(-1), logprobs.topk(num_logprobs, dim=-1)
    return LogprobsTensors(
        torch.cat((sampled, top.indices), dim=1).to(torch.int32),
        torch.cat((logprobs.gather(-1, sampled), top.values), dim=1),
        certainties(logprobs),
    )


class CertaintyProcessor(LogitsProcessor):  # type: ignore[misc]  # vLLM is installed on some machines only
    """Changes no logits: it is how vLLM comes to run this module's code where it samples."""

    def __init__(self, vllm_config: Any, device: torch.device, is_pin_memory: bool) -> None:
        Sampler.gather_logprobs = staticmethod(_gathered)

    def is_argmax_invariant(self) -> bool:
        return True

    def update_state(self, batch_update: Any) -> None:
        return None

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        return logits


def likelihoods_of(output: Any, alternatives: int | None) -> list[Likelihoods]:
    """What vLLM's output of a request says of its tokens, where it was asked for so many alternatives, with
    `flat_logprobs`.

    At each position it names the sampled token first, and the likeliest then, whether or not that one is among them. A
    rank that is an integer is one: the processor was not there.
    """
    if alternatives is None or output.logprobs is None:
        return []
    flat, found = output.logprobs, list[Likelihoods]()
    for _, start, end in zip(output.token_ids, flat.start_indices, flat.end_indices, strict=False):
        top = zip(flat.token_ids[start + 1 : end], flat.logprobs[start + 1 : end], strict=True)
        certainty = flat.ranks[start] if isinstance(flat.ranks[start], float) else None
        found.append(Likelihoods(flat.logprobs[start], tuple(top)[:alternatives], certainty))
    return found
