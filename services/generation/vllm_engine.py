"""vLLM's AsyncLLM: continuous batching and prefix caching, the same code on GPUs and CPUs."""

import asyncio
import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from services.generation.checkpoint import read_checkpoint
from services.generation.engine import PROGRESS_TOKENS, Completion, Likelihoods, ModelInfo, TokenSequence
from services.generation.engine_stats import SchedulerStats
from services.generation.grammars import Grammars, available, of_tokenizer
from services.generation.hidden_tokens import hidden_tokens
from services.generation.messages import SHAPING, SamplingOptions
from services.generation.reasoning.marks import find_reasoning_marks
from services.generation.response_text import stops_of
from services.generation.settings import GenerationSettings
from services.generation.token_logprobs import TokenBytes
from services.generation.tool_calls.detection import find_tool_reader
from services.generation.vllm_arguments import REVISION, SPECULATIVE, check_arguments, pinned
from shared.errors import DarwinError, Internal, InvalidRequest, Unavailable, Unsupported
from shared.process.lifeline import prepare_environment
from shared.process.number_types import Dtype
from shared.records.evolution import Message
from shared.records.limits import MOST_ALTERNATIVES
from shared.records.template_inputs import NOTHING_ELSE, TemplateInputs
from shared.telemetry.exporters import exporting
from shared.telemetry.tracing import inject
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.embedded_models import resolve
from shared.vllm_core import start_llm

_LOGGING = Path(__file__).with_name("vllm_logging.json")
_FORMATS = "services.generation.vllm_formats:FormatProcessor"
_PENALTIES = "services.generation.vllm_penalties:PenaltyProcessor"
_CERTAINTY = "services.generation.vllm_certainty:CertaintyProcessor"
_BY_PROCESSORS = frozenset(SHAPING) - {"ignore_eos"}
"""What logits processors obey, ours and those of vLLM that it leaves out when it decodes speculatively."""
_CPU_CACHE_GIB = 1.0
_CPU_BATCH_TOKENS = 4096
_SHUTDOWN_S = 2.0
_LOOK_EVERY_S = 0.1
_TRIAL = (Message("user", "Hello"),)


class VllmEngine:
    """One AsyncLLM, in this process and in those that it starts."""

    def __init__(self, settings: GenerationSettings) -> None:
        self._settings = settings
        self._llm: Any = None
        self._chat: ChatTokenizer | None = None
        self._info: ModelInfo | None = None
        self._grammars: Grammars | None = None
        self._names = itertools.count()
        self._traced = False
        self._scheduler = SchedulerStats()

    @property
    def info(self) -> ModelInfo:
        if self._info is None:
            raise Unavailable("the language model is not loaded yet; come back later")
        return self._info

    @property
    def grammars(self) -> Grammars | None:
        return self._grammars

    @property
    def running(self) -> int:
        return 0 if self._llm is None else int(self._llm.get_num_unfinished_requests())

    @property
    def waiting(self) -> int:
        # The scheduler reports nothing once the last sequence has gone.
        return min(self._scheduler.waiting, self.running)

    async def start(self) -> None:
        # On a thread, so that the process answers health checks and SIGTERM meanwhile.
        with ThreadPoolExecutor(1, "load") as thread:
            await asyncio.get_running_loop().run_in_executor(thread, self._load)
        await self._try()
        self._trace()

    def _load(self) -> None:
        settings = self._settings
        model = pinned(resolve(settings.model), settings.further_arguments.get(REVISION))
        checkpoint = read_checkpoint(model, settings.chat_template_arguments)
        context = checkpoint.context(settings.max_model_len)
        self._chat, tokenizer = checkpoint.chat, checkpoint.tokenizer
        arguments = engine_arguments(settings, model, context, partial(checkpoint.dtype, settings.dtype))
        self._llm = start_llm(arguments, [self._scheduler.logger])
        # vLLM takes no logits processors of ours beside speculative decoding: what they do is refused then.
        formats = available() and bool(arguments.logits_processors)
        self._info = ModelInfo(
            settings.model,
            "vllm",
            context,
            formats,
            checkpoint.vocabulary,
            checkpoint.eos_ids,
            hidden := hidden_tokens(tokenizer, checkpoint.vocabulary),
            continues_formats=formats,
            tool_reader=find_tool_reader(self._chat, tokenizer, hidden, settings.tool_parser, vllm_first=True),
            token_bytes=TokenBytes(tokenizer),
            cannot_obey=frozenset() if arguments.logits_processors else _BY_PROCESSORS,
            template_variables=checkpoint.chat.template.variables,
            reasoning=find_reasoning_marks(self._chat, tokenizer, settings.reasoning_parser, vllm_first=True),
        )
        if formats:
            self._grammars = of_tokenizer(tokenizer, checkpoint.vocabulary, checkpoint.eos_ids)

    async def _try(self) -> None:
        """Decodes one token: some architectures load on a CPU, and fail when they compute. Finds out whether this vLLM
        tells how certain the model is.

        Raises:
            Unsupported: no token came.
        """
        room = self.info.context_length - 1
        try:
            sampling = SamplingOptions(self_certainty=True)
            tried = await self.complete(TokenSequence(self.encode_chat(_TRIAL)[-room:], 1, sampling, None))
        except DarwinError as error:
            raise Unsupported(
                f"vLLM loads {self._settings.model} and cannot decode with it ({error.message}): set "
                "DARWIN_GENERATION_ENGINE=transformers",
                field="model",
            ) from error
        told = any(each.certainty is not None for each in tried.logprobs)
        self._info = replace(self.info, self_certainty=told)

    def _trace(self) -> None:
        """Makes vLLM report its own span of each sequence to this process's tracer.

        An endpoint among its arguments would also make it start an exporter of its own, here and in each process that
        it starts.
        """
        self._traced = exporting()
        if self._traced:
            self._llm.observability_config.otlp_traces_endpoint = "this process's"
            self._llm.output_processor.tracing_enabled = True

    async def stop(self) -> None:
        if self._llm is not None:
            self._llm.shutdown(timeout=_SHUTDOWN_S)
            self._llm = None

    async def failed(self) -> str:
        while not self._llm.errored:  # noqa: ASYNC110  # vLLM notifies nobody
            await asyncio.sleep(_LOOK_EVERY_S)
        return "the engine has ended"

    def encode_chat(self, messages: Sequence[Message], inputs: TemplateInputs = NOTHING_ELSE) -> tuple[int, ...]:
        assert self._chat is not None
        return self._chat.encode_prompt(messages, inputs)

    def encode_raw(self, text: str) -> tuple[int, ...]:
        assert self._chat is not None
        return self._chat.encode_raw(text)

    def decode(self, token_ids: Sequence[int], *, special: bool = False) -> str:
        assert self._chat is not None
        return self._chat.decode(token_ids, special=special)

    async def complete(self, sequence: TokenSequence) -> Completion:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        from services.generation.vllm_certainty import likelihoods_of

        prompt: dict[str, Any] = {"prompt_token_ids": list(sequence.token_ids)}
        if sequence.cache_salt:
            prompt["cache_salt"] = sequence.cache_salt
        name = f"{os.getpid()}-{next(self._names)}"
        sampled, likelihoods, output = list[int](), list[Likelihoods](), None
        try:
            # Cancelling the task closes the iterator, and that aborts the sequence in the engine.
            headers = dict(inject()) if self._traced else None
            async for result in self._llm.generate(prompt, _sampling(sequence, self.info), name, trace_headers=headers):
                # With `progress` each output holds what is new, and the last one else everything.
                output, ids = result, result.outputs[0].token_ids
                found = likelihoods_of(result.outputs[0], sequence.sampling.alternatives)
                sampled += ids
                likelihoods += found
                if sequence.progress is not None:
                    sequence.progress(ids, found)
        except VLLMClientError as error:
            raise InvalidRequest(f"vLLM refuses the request: {error}", field="sampling") from error
        except EngineDeadError as error:
            raise Unavailable("the engine has ended; the service starts again") from error
        if output is None:
            raise Internal("vLLM ended a sequence without an output")
        return _completion(output, tuple(sampled), tuple(likelihoods))


def engine_arguments(settings: GenerationSettings, model: str, context: int, dtype_on: Callable[[str], Dtype]) -> Any:
    """vLLM's `AsyncEngineArgs`; sets what vLLM reads from the environment, and imports it. `dtype_on` gives the number
    type for the kind of device that this vLLM is built for.

    Raises:
        Unsupported: one of the further arguments cannot be used.
    """
    prepare_environment(_LOGGING)
    # The other model runner takes logits processors of another kind.
    os.environ.setdefault("VLLM_USE_V2_MODEL_RUNNER", "0")
    from vllm import AsyncEngineArgs
    from vllm.platforms import current_platform

    on_cpu = current_platform.is_cpu()
    further = check_arguments(settings.further_arguments, AsyncEngineArgs)
    further.pop(REVISION, None)
    if on_cpu and further.get("enable_chunked_prefill"):
        raise Unsupported("DARWIN_GENERATION_VLLM_ARGUMENTS: enable_chunked_prefill is for GPUs: leave it out")
    processors = [] if further.get(SPECULATIVE) else [_CERTAINTY, _PENALTIES, *([_FORMATS] if available() else [])]
    cache_gib = settings.kv_cache_gib or (_CPU_CACHE_GIB if on_cpu else None)
    arguments = AsyncEngineArgs(
        model=model,
        # The tokenizer that the ids come from, and not that of mistral-common where a folder holds both.
        tokenizer_mode="hf",
        dtype=dtype_on(current_platform.device_type),
        max_model_len=context,
        max_num_seqs=settings.max_running,
        tensor_parallel_size=settings.tensor_parallel,
        enable_prefix_caching=True,
        kv_cache_memory_bytes=None if cache_gib is None else int(cache_gib * 2**30),
        gpu_memory_utilization=settings.gpu_memory_utilization,
        use_tqdm_on_load=False,
        # vLLM logs nothing. The logger that `SchedulerStats` hands it turns on the measurements that its spans need.
        disable_log_stats=True,
        max_logprobs=MOST_ALTERNATIVES,
        # Of the model's own distribution, as `Completion.logprobs` are, whatever vLLM's default is.
        logprobs_mode="raw_logprobs",
        logits_processors=processors,
        # Compiling takes a minute on two cores and gains a tenth.
        **{"enforce_eager": on_cpu} | further,
    )
    if on_cpu:
        arguments.block_size = further.get("block_size", 32)
        # A prefill that is split over steps ends the engine where its sequence has a seed: torch's CPU generators
        # cannot be wound back.
        arguments.enable_chunked_prefill = False
        arguments.max_num_batched_tokens = max(context, further.get("max_num_batched_tokens") or _CPU_BATCH_TOKENS)
        # The state of a recurrent layer, as Mamba's, is cached only where a prefill is split.
        arguments.enable_prefix_caching = not arguments.create_model_config().has_inner_state
    return arguments


def _sampling(sequence: TokenSequence, info: ModelInfo) -> Any:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    from services.generation import vllm_formats, vllm_penalties

    sampling = sequence.sampling
    stops = stops_of(sampling.stop, info.hidden_tokens)
    # vLLM looks for all strings in one text. Where it spells special tokens out, a string of the other kind might be
    # found within one, and is left to the generator.
    strings = stops.mixed or stops.in_text
    return SamplingParams(
        max_tokens=sequence.max_new_tokens,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        seed=None if sequence.seed is None else (sequence.seed + len(sequence.token_ids)) % 2**63,
        stop=list(strings) or None,
        stop_token_ids=sorted(stops.ids if sampling.ignore_eos else info.end_ids | stops.ids),
        include_stop_str_in_output=True,
        output_kind=RequestOutputKind.FINAL_ONLY if sequence.progress is None else RequestOutputKind.DELTA,
        stream_interval=None if sequence.progress is None else PROGRESS_TOKENS,
        detokenize=bool(strings),
        skip_special_tokens=not stops.mixed,
        logprobs=sampling.alternatives,
        flat_logprobs=True,
        extra_args=(vllm_formats.arguments_of(sequence) | vllm_penalties.arguments_of(sequence)) or None,
        logit_bias=dict(sampling.logit_bias) or None,
        min_p=sampling.min_p,
        ignore_eos=sampling.ignore_eos,
    )


def _completion(output: Any, token_ids: tuple[int, ...], logprobs: tuple[Likelihoods, ...]) -> Completion:
    reason = output.outputs[0].finish_reason
    if reason not in ("stop", "length"):
        raise Internal(f"vLLM ended a sequence by {reason!r}")
    cached, times = output.num_cached_tokens or 0, output.metrics
    if times is None or not times.scheduled_ts:
        return Completion(token_ids, cached, logprobs=logprobs)
    queued = times.scheduled_ts - times.queued_ts
    return Completion(token_ids, cached, queued, times.first_token_latency, logprobs=logprobs)
