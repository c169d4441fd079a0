"""Any sequence-classification reward model, by vLLM's pooling runner.

Its prefix cache makes growing responses cheap.
"""

import os
from collections.abc import Sequence

from vllm import LLM, PoolingParams, TokensPrompt
from vllm.outputs import PoolingOutput, PoolingRequestOutput

from services.reward.chat import ChatFormat
from services.reward.runtime import Runtime
from services.reward.scorer import ComponentScore, ScoreItem
from shared.errors import Internal, Unsupported
from shared.models import resolve

_BLOCK_TOKENS = 32


class VllmScorer:
    """The raw score (logit) of a one-label classifier that pools the last token; the engine is a child process.

    Loading takes about 35 s on a CPU. Raises Unsupported on `load` for a tokenizer without a chat template, and on the
    first score for a model of several labels.
    """

    def __init__(self, model: str, max_tokens: int, kv_cache_bytes: int, runtime: Runtime) -> None:
        self._name = model
        self._max_tokens = max_tokens
        self._kv_cache_bytes = kv_cache_bytes
        self._runtime = runtime

    def load(self) -> None:
        folder = resolve(self._name)
        self._chat = ChatFormat(folder, self._max_tokens)
        if self._runtime.device == "cpu":
            # vLLM reads these from the environment only; its default would bind a thread to every core.
            os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
            os.environ["OMP_NUM_THREADS"] = str(self._runtime.threads)
        self._engine = LLM(
            model=folder,
            runner="pooling",
            dtype=self._runtime.dtype,
            max_model_len=self._chat.max_tokens,
            block_size=_BLOCK_TOKENS,
            enable_prefix_caching=True,
            kv_cache_memory_bytes=self._kv_cache_bytes,
            enforce_eager=self._runtime.device == "cpu",
        )
        self._params = PoolingParams(use_activation=False)

    def close(self) -> None:
        self._engine.llm_engine.engine_core.shutdown()

    def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        prompts = [self._prompt(item) for item in batch]
        outputs = self._engine.encode(prompts, self._params, pooling_task="classify", use_tqdm=False)
        return [self._component(output) for output in outputs]

    def _prompt(self, item: ScoreItem) -> TokensPrompt:
        prompt = TokensPrompt(prompt_token_ids=self._chat.token_ids(item))
        if item.conversation.cache_salt:
            prompt["cache_salt"] = item.conversation.cache_salt
        return prompt

    def _component(self, output: PoolingRequestOutput[PoolingOutput]) -> ComponentScore:
        if output.error is not None:
            raise Internal(f"{self._name}: {output.error}")
        data = output.outputs.data
        if data.numel() != 1:
            raise Unsupported(f"{self._name} has {data.numel()} labels; a reward model has one", field="model")
        cached = output.num_cached_tokens or 0
        return ComponentScore(float(data.reshape(-1)[0]), len(output.prompt_token_ids) - cached, cached)
