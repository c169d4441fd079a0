"""Attention to a part of the keys and values, which tells how much that part counts beside others."""

import torch

_on_cpu = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu


def attend(
    query: torch.Tensor, part: torch.Tensor, mask: torch.Tensor | None, *, causal: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps query [1, heads, n, size] and a part [2 (key, value), key heads, m, size] to the attention's result, of the
    query's shape, and to the logarithm of the sum of its exponentiated scores, float32 [1, heads, n].

    `mask` [n, m], of the query's type, is added to the scores; `causal`, where n is m, is the mask under which each
    token sees itself and those before it. Scores are divided by the root of size.
    """
    key, value = part[0].unsqueeze(0), part[1].unsqueeze(0)
    if query.is_cpu:
        result, score_sum = _on_cpu(query, key, value, 0.0, causal, attn_mask=mask)
        return result, score_sum
    return attend_plainly(query, key, value, mask, causal)


def attend_plainly(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None, causal: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The same by its definition, on any device."""
    groups = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    scores = (query @ key.transpose(2, 3)).float() * query.shape[3] ** -0.5
    if causal:
        mask = torch.full(scores.shape[2:], -torch.inf, device=scores.device).triu_(1)
    if mask is not None:
        scores += mask
    return scores.softmax(-1).to(value.dtype) @ value, scores.logsumexp(-1)
