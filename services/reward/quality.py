"""How good a response reads: a linear head on the frozen first layers of the embedded language model.

A token's reward is w·h, with h the RMS-normalised hidden state behind layer 12; a response's score is the mean over its
tokens plus a bias. A mean of per-token rewards is incremental: keys, values and running sums of recent responses are
kept, and a response that shares a prefix with one of them costs its new tokens only. Keys and values of a
conversation's prompt are kept once for all its responses.

With `kappa`, a score is a lower confidence bound: less so many standard deviations of it under the head's posterior.
With `abstain`, the scorer says of which responses it has not seen the like. Both need the mean of a response's hidden
states, a running sum of which is then kept too, and nothing else is computed.

Of conversation and response each, at most half of the model's context counts: the conversation's end and the
response's beginning.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
import torch
from cachetools import LRUCache
from safetensors.torch import load_file

from services.reward.familiarity import Familiarity
from services.reward.posterior import Posterior
from services.reward.prefixes import ComputedPrompt, ComputedResponse, Prefixes
from services.reward.runtime import Runtime
from services.reward.scorer import EMPTY_RESPONSE, OUT_OF_DISTRIBUTION, ComponentScore, Conversation, ScoreItem
from services.reward.specs import WEIGHTS
from services.reward.trunk import Extended, Extension, Trunk
from shared.errors import InvalidRequest
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.embedded_models import EMBEDDED_LLM, resolve
from shared.text.tokenizers import load_embedded_tokenizer

LAYERS = 12
EPSILON = 1e-5
EMPTY = -3.5
"""The score of an empty response, which has no tokens to average: far more than 99.5% of real ones score more
(`services.reward.calibrate`)."""

_PROMPTS_KEPT = 1024


@dataclass(frozen=True)
class _Work:
    """A response to compute: its tokens, of which the first `shared` are known from `known`."""

    conversation: bytes
    prompt: tuple[int, ...]
    tokens: tuple[int, ...]
    known: ComputedResponse | None
    shared: int

    @property
    def new(self) -> int:
        return len(self.tokens) - self.shared


class QualityScorer:
    """The embedded quality reward.

    `head` is a safetensors file {w[hidden], bias[1]}, and for `kappa` and `abstain` what `darwin reward train` writes
    beside them: a name in this package's `weights` folder, or a path.
    """

    def __init__(self, head: str, runtime: Runtime, kappa: float = 0.0, *, abstain: bool = False) -> None:
        self._head_file = WEIGHTS / head
        self._runtime = runtime
        self._kappa = kappa
        self._abstain = abstain
        self._prefixes = Prefixes(runtime.cache_bytes)
        self._prompts: LRUCache[bytes, tuple[int, ...]] = LRUCache(_PROMPTS_KEPT)

    def load(self) -> None:
        folder = resolve(EMBEDDED_LLM)
        self._chat = ChatTokenizer(load_embedded_tokenizer(folder))
        self._trunk = Trunk(folder, LAYERS, self._runtime)
        tensors = _load_head(self._head_file, self._trunk)
        self._weight, self._bias = tensors["w"].float().to(self._trunk.device), float(tensors["bias"])
        known = {name: tensor.float().numpy() for name, tensor in tensors.items()}
        self._posterior = Posterior.read(known) if self._kappa else None
        self._familiarity = Familiarity.read(known) if self._abstain else None
        self._check_head()

    def close(self) -> None:
        self._prefixes = Prefixes(self._runtime.cache_bytes)

    def _check_head(self) -> None:
        for field, unmet in (
            ("kappa", self._kappa and self._posterior is None),
            ("abstain", self._abstain and self._familiarity is None),
        ):
            if unmet:
                raise InvalidRequest(
                    f"{self._head_file} does not hold what {field} needs: leave {field} out, or let "
                    f"`darwin reward train --keep {self._head_file} …` write it beside the head's weights",
                    field=field,
                )

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        works = [self._work(item) for item in batch]
        prompts, computed = self._prompts_of([work for work in works if work.tokens])
        responses = self._compute([work for work in works if work.new], prompts)
        return [self._result(work, responses, computed) for work in works]

    def _work(self, item: ScoreItem) -> _Work:
        conversation = item.conversation.digest
        prompt, tokens = self._prompt(item.conversation), self._tokens(item.text)
        known, shared = self._prefixes.longest(conversation, tokens) or (None, 0)
        return _Work(conversation, prompt, tokens, known, shared)

    def _prompts_of(self, works: Sequence[_Work]) -> tuple[dict[bytes, ComputedPrompt], dict[bytes, int]]:
        """Of each conversation its prompt, and the lengths of those that had to be computed, each once."""
        texts = {work.conversation: work.prompt for work in works}
        prompts = {each: found for each in texts if (found := self._prefixes.prompt(each))}
        missing = [each for each in texts if each not in prompts]
        empty = self._trunk.empty()
        extended = self._trunk.extend([Extension(empty, empty, texts[each]) for each in missing])
        for conversation, result in zip(missing, extended, strict=True):
            prompts[conversation] = ComputedPrompt(result.own)
            self._prefixes.put_prompt(conversation, prompts[conversation])
        return prompts, {each: len(texts[each]) for each in missing}

    def _compute(
        self, works: Sequence[_Work], prompts: Mapping[bytes, ComputedPrompt]
    ) -> dict[tuple[bytes, tuple[int, ...]], ComputedResponse]:
        extended = self._trunk.extend([self._extension(work, prompts[work.conversation]) for work in works])
        responses = {}
        for work, result in zip(works, extended, strict=True):
            response = self._response(work, result)
            self._prefixes.put(work.conversation, response)
            responses[work.conversation, work.tokens] = response
        return responses

    def _extension(self, work: _Work, prompt: ComputedPrompt) -> Extension:
        own = work.known.past[:, :, :, : work.shared] if work.known else self._trunk.empty()
        return Extension(prompt.past, own, work.tokens[work.shared :])

    def _response(self, work: _Work, result: Extended) -> ComputedResponse:
        known = work.known.sums[: work.shared] if work.known else ()
        rewards = (rms_normalise(result.hidden) @ self._weight).tolist()
        sums = accumulate(rewards, initial=known[-1] if known else 0.0)
        next(sums)
        return ComputedResponse(work.tokens, result.own, (*known, *sums), self._features(work, result))

    def _features(self, work: _Work, result: Extended) -> torch.Tensor | None:
        """The running sums of the response's hidden states [tokens, hidden], where something needs them."""
        if self._posterior is None and self._familiarity is None:
            return None
        new = rms_normalise(result.hidden).cumsum(0)
        if work.known is None or work.known.features is None:
            return new
        before = work.known.features[: work.shared]
        return torch.cat((before, new + before[-1]))

    def _result(
        self,
        work: _Work,
        responses: dict[tuple[bytes, tuple[int, ...]], ComputedResponse],
        computed: dict[bytes, int],
    ) -> ComponentScore:
        """A prompt computed in this batch is charged to the conversation's first item."""
        if not work.tokens:
            return ComponentScore(EMPTY, abstained=EMPTY_RESPONSE if self._abstain else "")
        response = responses.get((work.conversation, work.tokens), work.known)
        assert response is not None
        length, charged = len(work.tokens), computed.pop(work.conversation, 0)
        value = response.sums[length - 1] / length + self._bias
        abstained = ""
        if response.features is not None:
            mean = (response.features[length - 1] / length).cpu().numpy()
            if self._posterior is not None:
                value -= self._kappa * float(self._posterior.deviations(mean))
            if self._familiarity is not None and self._familiarity.excess(mean[None], np.array([length]))[0] > 1:
                abstained = OUT_OF_DISTRIBUTION
        return ComponentScore(value, work.new + charged, work.shared + len(work.prompt) - charged, abstained)

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


def _load_head(file: Path, trunk: Trunk) -> dict[str, torch.Tensor]:
    """The tensors of a head's file, of which weights and bias are as they must be."""
    if not file.is_file():
        raise InvalidRequest(f"no such quality head: {file}", field="head")
    tensors = load_file(file)
    weight, bias = tensors.get("w"), tensors.get("bias")
    if weight is None or bias is None or weight.shape != (trunk.hidden_size,) or bias.numel() != 1:
        raise InvalidRequest(f"{file} must hold w[{trunk.hidden_size}] and bias[1]", field="head")
    return tensors
