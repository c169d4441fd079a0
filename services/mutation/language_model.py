"""The port to the language model that writes rewrites, and its adapter to the generation service."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from services.mutation.operators import JSON_SCHEMA
from shared.errors import Internal
from shared.pb import generation_pb2 as pb
from shared.records.evolution import Message
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.telemetry.tracing import current_evolution_id

TOP_P = 0.95
# The deadline of a call to the model whose caller set none.
MAX_SECONDS = 600.0


@dataclass(frozen=True)
class RewritePrompt:
    """The request for one rewrite: its conversation, its length limit in tokens, and a seed or none."""

    messages: tuple[Message, ...]
    max_new_tokens: int
    seed: int | None


@dataclass(frozen=True)
class RewriteCompletion:
    """What the model wrote for the prompt at `index` of the call."""

    index: int
    text: str
    prompt_tokens: int
    generated_tokens: int


class LanguageModel(Protocol):
    """Completes prompts in one batch."""

    def rewrite(
        self,
        prompts: Sequence[RewritePrompt],
        timeout: float | None,
        cache_salt: str = "",
        json_schema: str = JSON_SCHEMA,
    ) -> AsyncGenerator[RewriteCompletion, None]:
        """Yields each completion as it is done, in any order; `timeout`, in seconds, bounds them all. The model is held
        to the `json_schema` if it can be; the empty one is for plain text.

        What the model caches of the prompts is shared with calls of the same salt only.

        Raises:
            Unavailable: the model cannot be reached.
            DeadlineExceeded: `timeout` passed.
        """
        ...


class GenerationClient:
    """The generation service as a language model; structured output wherever its engine supports it."""

    def __init__(self, replicas: Replicas[Any], temperature: float) -> None:
        self._replicas = replicas
        self._temperature = temperature

    async def name(self, timeout: float) -> str:
        """The model's name and its engine's; another one says that the model has been replaced.

        Raises:
            Unavailable: the model cannot be reached.
            DeadlineExceeded: `timeout`, in seconds, passed.
        """
        try:
            model = await self._replicas.call(_get_model, 1, timeout)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error
        return f"{model.model} ({model.engine})"

    async def rewrite(
        self,
        prompts: Sequence[RewritePrompt],
        timeout: float | None,
        cache_salt: str = "",
        json_schema: str = JSON_SCHEMA,
    ) -> AsyncGenerator[RewriteCompletion, None]:
        ends_at = time.monotonic() + (MAX_SECONDS if timeout is None else timeout)
        waiting, key = dict(enumerate(prompts)), current_evolution_id()
        try:
            # Requested every time, since the service may have restarted with another engine.
            model = await self._replicas.call(_get_model, 1, ends_at - time.monotonic(), key)
            schema = json_schema if model.structured_output else ""
            sampling = pb.GenerateRequest.Sampling(temperature=self._temperature, top_p=TOP_P, json_schema=schema)

            def begin(stub: Any, **options: Any) -> Any:
                sequences = [_sequence(index, prompt) for index, prompt in waiting.items()]
                # A rewrite needs no thought; what a model thinks nevertheless is left out of its text.
                request = pb.GenerateRequest(
                    sequences=sequences, sampling=sampling, cache_salt=cache_salt, reasoning_effort="none"
                )
                return stub.Generate(request, **options)

            responses = self._replicas.stream(begin, lambda: len(waiting), ends_at - time.monotonic(), key)
            with calling("GenerationService/Generate"):
                async with aclosing(responses):
                    async for response in responses:
                        for result in response.results:
                            yield _completion(result, waiting)
        except grpc.RpcError as error:
            raise from_rpc_error(error) from error


def _get_model(stub: Any, **options: Any) -> Any:
    return stub.GetModel(pb.GetModelRequest(), **options)


def _sequence(index: int, prompt: RewritePrompt) -> pb.GenerateRequest.Sequence:
    messages = [pb.GenerateRequest.Message(role=turn.role, content=turn.content) for turn in prompt.messages]
    return pb.GenerateRequest.Sequence(
        id=str(index), messages=messages, max_new_tokens=prompt.max_new_tokens, seed=prompt.seed
    )


def _completion(result: pb.GenerateResult, waiting: dict[int, RewritePrompt]) -> RewriteCompletion:
    index = int(result.id) if result.id.isdigit() else -1
    if waiting.pop(index, None) is None:
        raise Internal(f"the generation service returned a sequence {result.id!r} that was not sent")
    return RewriteCompletion(index, result.text, result.usage.prompt_tokens, result.usage.generated_tokens)
