"""How good a response reads: a linear head on the frozen first layers of the embedded language model.

A token's reward is w·h, with h the RMS-normalised hidden state behind layer 12; a response's score is the mean over its
tokens plus a bias. A mean of per-token rewards is incremental: keys, values and running sums of recent responses are
kept, and a response that shares a prefix with one of them costs its new tokens only.

Of conversation and response each, at most half of the model's context counts: the conversation's end and the
response's beginning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from cachetools import LRUCache
from safetensors.torch import load_file

from services.reward.prefixes import ComputedResponse, Prefixes
from services.reward.runtime import Runtime
from services.reward.scorer import ComponentScore, Conversation, ScoreItem
from services.reward.trunk import Extended, Extension, Trunk
from shared.errors import InvalidRequest
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_tokenizer

LAYERS = 12
EPSILON = 1e-5
EMPTY = -3.5
"""The score of an empty response, which has no tokens to average: far more than 99.5% of real ones score more
(`services.reward.calibrate`)."""

WEIGHTS = Path(__file__).parent / "weights"
_PROMPTS_KEPT = 1024


@dataclass(frozen=True)
class _Work:
    """A response to compute: its tokens, of which `shared` are known from `prefix`."""

    conversation: bytes
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    prefix: ComputedResponse | None
    shared: int

    @property
    def reused(self) -> int:
        return len(self.prompt) + self.shared if self.prefix else 0

    @property
    def computed(self) -> int:
        return len(self.prompt) + len(self.tokens) - self.reused


class QualityScorer:
    """The embedded quality reward.

    `head` is a safetensors file {w[hidden], bias[1]}: a name in this package's `weights` folder, or a path.
    """

    def __init__(self, head: str, runtime: Runtime) -> None:
        self._head_file = WEIGHTS / head
        self._runtime = runtime
        self._prefixes = Prefixes(runtime.cache_bytes)
        self._prompts: LRUCache[bytes, tuple[int, ...]] = LRUCache(_PROMPTS_KEPT)

    def load(self) -> None:
        folder = resolve(EMBEDDED_LLM)
        self._chat = ChatTokenizer(load_tokenizer(folder))
        self._trunk = Trunk(folder, LAYERS, self._runtime)
        self._weight, self._bias = _load_head(self._head_file, self._trunk)

    def close(self) -> None:
        self._prefixes = Prefixes(self._runtime.cache_bytes)

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        works = [self._work(item) for item in batch]
        prefilled = self._prefill([work for work in works if work.prefix is None])
        if prefilled:
            works = [self._work(item) for item in batch]
        responses = self._compute([work for work in works if work.computed])
        return [self._result(work, responses, prefilled) for work in works]

    def _work(self, item: ScoreItem) -> _Work:
        conversation = item.conversation.digest
        prompt, tokens = self._prompt(item.conversation), self._tokens(item.text)
        prefix, shared = self._prefixes.longest(conversation, tokens) or (None, 0)
        return _Work(conversation, prompt, tokens, prefix, shared)

    def _prefill(self, works: Sequence[_Work]) -> dict[bytes, int]:
        """Computes the prompt of conversations not seen yet, each once; returns their lengths."""
        prompts = {work.conversation: _Work(work.conversation, work.prompt, (), None, 0) for work in works}
        self._compute(list(prompts.values()))
        return {conversation: len(work.prompt) for conversation, work in prompts.items()}

    def _compute(self, works: Sequence[_Work]) -> dict[tuple[bytes, tuple[int, ...]], ComputedResponse]:
        extended = self._trunk.extend([self._extension(work) for work in works])
        responses = {}
        for work, result in zip(works, extended, strict=True):
            response = self._response(work, result)
            self._prefixes.put(work.conversation, response)
            responses[work.conversation, work.tokens] = response
        return responses

    def _extension(self, work: _Work) -> Extension:
        if work.prefix is None:
            return Extension(self._trunk.empty(), work.prompt + work.tokens)
        return Extension(work.prefix.past[:, :, :, : work.reused], work.tokens[work.shared :])

    def _response(self, work: _Work, result: Extended) -> ComputedResponse:
        known = work.prefix.sums[: work.shared] if work.prefix else ()
        new = result.hidden[result.hidden.shape[0] - (len(work.tokens) - work.shared) :]
        rewards = (rms_normalise(new) @ self._weight).tolist()
        sums = accumulate(rewards, initial=known[-1] if known else 0.0)
        next(sums)
        return ComputedResponse(work.tokens, result.past, (*known, *sums))

    def _result(
        self,
        work: _Work,
        responses: dict[tuple[bytes, tuple[int, ...]], ComputedResponse],
        prefilled: dict[bytes, int],
    ) -> ComponentScore:
        """A prompt computed in this batch is charged to the conversation's first item."""
        if not work.tokens:
            return ComponentScore(EMPTY)
        response = responses.get((work.conversation, work.tokens), work.prefix)
        assert response is not None
        length = len(work.tokens)
        charged = prefilled.pop(work.conversation, 0) if work.reused else 0
        value = response.sums[length - 1] / length + self._bias
        return ComponentScore(value, work.computed + charged, work.reused - charged)

    def _prompt(self, conversation: Conversation) -> tuple[int, ...]:
        prompt = self._prompts.get(conversation.digest)
        if prompt is None:
            prompt = encode_prompt(self._chat, conversation, self._trunk.context // 2)
            self._prompts[conversation.digest] = prompt
        return prompt

    def _tokens(self, text: str) -> tuple[int, ...]:
        return self._chat.encode_text(text)[: self._trunk.context // 2]


def encode_prompt(chat: ChatTokenizer, conversation: Conversation, limit: int) -> tuple[int, ...]:
    """The conversation in the chat template with a generation prompt: its last `limit` tokens."""
    return chat.encode_chat(conversation.messages)[-limit:]


def rms_normalise(hidden: torch.Tensor) -> torch.Tensor:
    """Divides each vector by its root mean square (unit weight)."""
    return hidden * torch.rsqrt(hidden.square().mean(-1, keepdim=True) + EPSILON)


def _load_head(file: Path, trunk: Trunk) -> tuple[torch.Tensor, float]:
    if not file.is_file():
        raise InvalidRequest(f"no such quality head: {file}", field="head")
    tensors = load_file(file)
    weight, bias = tensors.get("w"), tensors.get("bias")
    if weight is None or bias is None or weight.shape != (trunk.hidden_size,) or bias.numel() != 1:
        raise InvalidRequest(f"{file} must hold w[{trunk.hidden_size}] and bias[1]", field="head")
    return weight.float().to(trunk.device), float(bias)
