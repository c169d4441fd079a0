"""Sequence-classification reward models, by vLLM's AsyncLLM.

Its prefix cache makes growing responses cheap, and its scheduler batches whatever comes.
"""

import asyncio
import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from services.reward.classifier_inputs import Encoded
from services.reward.inspection import RewardInspection, inspect_reward, refusing
from services.reward.registry import VllmSpec
from services.reward.runtime import Runtime
from services.reward.scorer import TRIAL, ComponentScore, ScoreItem
from shared.errors import Internal, InvalidRequest, Unavailable, Unsupported
from shared.process.lifeline import prepare_environment
from shared.vllm_core import start_llm

_LOGGING = Path(__file__).with_name("vllm_logging.json")
_CPU_CACHE_BYTES = 2**30
_CPU_BLOCK_TOKENS = 32
_SHUTDOWN_S = 2.0
_LOOK_EVERY_S = 0.1


class VllmScorer:
    """The raw score (logit) of one of a classifier's outputs.

    Loading takes about 15 s on a CPU. Raises on `load` as `inspect_reward` does, and Unsupported where this vLLM cannot
    serve the model or has no such device.
    """

    batches = 64
    max_batch = None

    def __init__(self, spec: VllmSpec, runtime: Runtime) -> None:
        self._spec = spec
        self._runtime = runtime
        self._names = itertools.count()
        self._llm: Any = None

    async def load(self) -> None:
        await asyncio.to_thread(self._load)
        try:
            await self.score([TRIAL])
        except Unavailable as error:
            raise Unsupported(
                f"vLLM cannot compute {self._spec.model} on this machine, as its log says: use type: classifier",
                field="type",
            ) from error

    async def close(self) -> None:
        if self._llm is not None:
            self._llm.shutdown(timeout=_SHUTDOWN_S)
            self._llm = None

    async def failed(self) -> str:
        while self._llm is None or not self._llm.errored:  # noqa: ASYNC110  # vLLM notifies nobody
            await asyncio.sleep(_LOOK_EVERY_S)
        return f"the engine of {self._spec.model} has ended"

    async def score(self, batch: Sequence[ScoreItem]) -> list[ComponentScore]:
        encoded = [self._found.format.encode(item) for item in batch]
        scoring = [
            asyncio.ensure_future(self._score(each, item.conversation.cache_salt))
            for each, item in zip(encoded, batch, strict=True)
        ]
        try:
            return await asyncio.gather(*scoring)
        finally:
            for task in scoring:
                task.cancel()

    async def _score(self, encoded: Encoded, salt: str) -> ComponentScore:
        from vllm import PoolingParams
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        prompt: dict[str, Any] = {"prompt_token_ids": list(encoded.token_ids)}
        if salt:
            prompt["cache_salt"] = salt
        params = PoolingParams(task="classify", use_activation=False)
        name, output = f"{os.getpid()}-{next(self._names)}", None
        try:
            # Cancelling the task closes the iterator, and that aborts the request in the engine.
            async for result in self._llm.encode(prompt, params, name):
                output = result
        except VLLMClientError as error:
            raise InvalidRequest(f"vLLM refuses the conversation: {error}", field="messages") from error
        except EngineDeadError as error:
            raise Unavailable("the reward engine has ended; the service starts again") from error
        if output is None or getattr(output, "error", None) is not None:
            raise Internal(f"vLLM ended a request to {self._spec.model} without a score")
        values, cached = output.outputs.data.reshape(-1), output.num_cached_tokens or 0
        if len(values) != len(self._found.labels):
            raise Internal(f"{self._spec.model} has {len(self._found.labels)} outputs, and vLLM gives {len(values)}")
        return ComponentScore(float(values[self._found.output or 0]), len(encoded.token_ids) - cached, cached)

    def _load(self) -> None:
        self._found = found = inspect_reward(self._spec)
        if found.token_types:
            raise Unsupported(
                f"{found.model} takes the numbers of segments, which are not sent to vLLM: use type: classifier",
                field="type",
            )
        if found.own_code and self._spec.output is None:
            raise Unsupported(f"{found.model}: vLLM runs no code of a checkpoint: use type: classifier", field="type")
        with refusing(found.model):
            self._llm = start_llm(self._arguments(found))

    def _arguments(self, found: RewardInspection) -> Any:
        prepare_environment(_LOGGING)
        device = self._spec.device or self._runtime.device
        if device == "cpu":
            # vLLM reads these from the environment only; its default would bind a thread to every core.
            os.environ["VLLM_CPU_OMP_THREADS_BIND"] = "nobind"
            os.environ["OMP_NUM_THREADS"] = str(self._runtime.threads)
        from vllm import AsyncEngineArgs
        from vllm.platforms import current_platform

        on_cpu = current_platform.is_cpu()
        arguments = AsyncEngineArgs(
            model=found.folder,
            revision=found.revision,
            # The tokenizer that the ids come from, and not that of mistral-common where a folder holds both.
            tokenizer_mode="hf",
            tokenizer_revision=found.revision,
            trust_remote_code=found.own_code,
            runner="pooling",
            dtype=self._runtime.number_type(self._spec.dtype, device),
            max_model_len=found.max_tokens,
            tensor_parallel_size=self._spec.tensor_parallel,
            device_ids=_device_ids(device, on_cpu, self._spec.tensor_parallel),
            gpu_memory_utilization=self._spec.gpu_memory_utilization,
            kv_cache_memory_bytes=self._spec.kv_cache_bytes or (_CPU_CACHE_BYTES if on_cpu else None),
            # Compiling takes a minute on two cores and gains a tenth.
            enforce_eager=on_cpu,
            use_tqdm_on_load=False,
            disable_log_stats=True,
        )
        if on_cpu:
            arguments.block_size = _CPU_BLOCK_TOKENS
        return arguments


def _device_ids(device: str, on_cpu: bool, parallel: int) -> list[int | str] | None:
    """The visible cards that a device names, the first of several for tensor parallelism; None: vLLM's own choice.

    Raises:
        Unsupported: this build of vLLM has no such device.
    """
    kind, _, index = device.partition(":")
    if (kind == "cpu") != on_cpu or kind == "mps":
        built = "CPUs" if on_cpu else "GPUs"
        raise Unsupported(f"this vLLM is built for {built} and cannot run on device {device}", field="device")
    if on_cpu and parallel > 1:
        raise Unsupported("tensor_parallel is for GPUs: leave it at 1 on a CPU", field="tensor_parallel")
    first = int(index or 0)
    return list(range(first, first + parallel)) if index else None
