"""The generation service as the orchestrator's `Generator`."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Literal

import grpc

from services.orchestrator.adapters.logprobs import logprobs_from_pb
from services.orchestrator.adapters.salt import cache_salt
from services.orchestrator.adapters.tools import called_of, message_to_pb, tools_to_pb
from services.orchestrator.core.responses import Called
from services.orchestrator.core.values import BASE, Generate, Generated
from shared.errors import ContextLengthExceeded, Internal
from shared.pb import generation_pb2 as pb
from shared.records.evolution import EvolutionRequest
from shared.records.formats import FormatKind, ResponseFormat
from shared.records.turns import with_instruction
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.telemetry.tracing import current_evolution_id

_FINISH: dict[int, Literal["length", "stop", "context"]] = {
    pb.FINISH_REASON_LENGTH: "length",
    pb.FINISH_REASON_STOP: "stop",
    pb.FINISH_REASON_CONTEXT: "context",
}

_KINDS: dict[FormatKind, "pb.GenerateRequest.Format.Kind"] = {
    "json_object": pb.GenerateRequest.Format.KIND_JSON_OBJECT,
    "json_schema": pb.GenerateRequest.Format.KIND_JSON_SCHEMA,
    "regex": pb.GenerateRequest.Format.KIND_REGEX,
    "choice": pb.GenerateRequest.Format.KIND_CHOICE,
    "grammar": pb.GenerateRequest.Format.KIND_GRAMMAR,
}


class GrpcGenerator:
    """Continues states through `darwin.v1.GenerationService`, many states with one call.

    The calls of one evolution go to one replica, where they can, because it has their prefixes in its cache.
    """

    def __init__(self, replicas: Replicas[Any]) -> None:
        self._replicas = replicas

    async def generate(
        self, effects: Sequence[Generate], request: EvolutionRequest, timeout_s: float
    ) -> AsyncIterator[Generated]:
        """Raises ContextLengthExceeded where the conversation itself, not only a mutant of it, fills the context."""
        waiting = {str(effect.state): effect for effect in effects}

        def begin(stub: Any, **options: Any) -> Any:
            return stub.Generate(_to_pb(list(waiting.values()), request), **options)

        responses = self._replicas.stream(begin, lambda: len(waiting), timeout_s, current_evolution_id())
        with calling("GenerationService/Generate"):
            try:
                async with aclosing(responses):
                    async for response in responses:
                        for result in response.results:
                            effect = waiting.pop(result.id)
                            outcome = _from_pb(result, effect, called_of(result, request.tool_use))
                            if effect.state == BASE and _without_room(effect, outcome):
                                field = "prompt" if request.raw_prompt else "messages"
                                raise await self._no_room(outcome.prompt_tokens, field, timeout_s)
                            yield outcome
            except grpc.RpcError as error:
                raise from_rpc_error(error, lambda field: _caller_field(field, request)) from error
        if waiting:
            raise Internal(f"generation ended without a result for states {sorted(waiting)}")

    async def text_of(self, token_ids: Sequence[int], timeout_s: float) -> str:
        def begin(stub: Any, **options: Any) -> Any:
            return stub.Decode(pb.DecodeRequest(token_ids=token_ids), **options)

        with calling("GenerationService/Decode"):
            try:
                return str((await self._replicas.call(begin, 1, timeout_s, current_evolution_id())).text)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def template_variables(self, timeout_s: float) -> frozenset[str]:
        with calling("GenerationService/GetModel"):
            try:
                model = await self._replicas.call(_get_model, 1, timeout_s, current_evolution_id())
                return frozenset(model.template_variables)
            except grpc.RpcError as error:
                raise from_rpc_error(error) from error

    async def _no_room(self, prompt_tokens: int, field: str, timeout_s: float) -> ContextLengthExceeded:
        model = await self._replicas.call(_get_model, 1, timeout_s, current_evolution_id())
        # An endpoint may have a shorter context than is known of it.
        context = min(model.context_length, prompt_tokens)
        return ContextLengthExceeded.of(context, prompt_tokens, field)


def _without_room(effect: Generate, outcome: Generated) -> bool:
    return outcome.finish == "context" and not effect.token_ids and not outcome.generated_tokens


def _get_model(stub: Any, **options: Any) -> Any:
    return stub.GetModel(pb.GetModelRequest(), **options)


def _caller_field(field: str, request: EvolutionRequest) -> str:
    """`sequences[0].messages` and `sampling.stop` are the caller's `messages` and `stop`, and `sampling.format` is
    whatever field of the request demands the format."""
    if field == "template_arguments":
        return "chat_template_kwargs"
    if field.startswith("sampling.format") and request.tool_use.choice == "required":
        return "tools"
    if field.startswith("sampling.format") and request.sampling.format is not None:
        return request.sampling.format.field
    return re.sub(r"^(sequences\[\d+\]|sampling)\.", "", field)


def _to_pb(effects: Sequence[Generate], request: EvolutionRequest) -> pb.GenerateRequest:
    sampling = request.sampling
    return pb.GenerateRequest(
        sequences=[
            pb.GenerateRequest.Sequence(
                id=str(effect.state),
                messages=[] if request.raw_prompt else _messages(request, effect.instruction),
                raw_prompt=_raw_prompt(request) if request.raw_prompt else None,
                response_token_ids=effect.token_ids,
                max_new_tokens=effect.max_new_tokens,
                lookahead_tokens=effect.lookahead,
                # Engines sample faster without a generator per sequence, so only a caller's own seed is passed on.
                seed=effect.seed if request.seeded else None,
                to_be_continued=len(effect.token_ids) + effect.max_new_tokens < sampling.max_tokens,
            )
            for effect in effects
        ],
        sampling=pb.GenerateRequest.Sampling(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            stop=sampling.stop,
            format=None if sampling.format is None else _format_to_pb(sampling.format),
            logprobs=sampling.logprobs,
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            logit_bias=sampling.logit_bias,
            min_p=sampling.min_p,
            ignore_eos=sampling.ignore_eos,
        ),
        cache_salt=cache_salt(request),
        now=request.accepted_at,
        tools=tools_to_pb(request.tool_use.offered),
        must_call=request.tool_use.choice == "required",
        tool_name=request.tool_use.name,
        parallel_calls=request.tool_use.parallel,
        template_arguments=json.dumps(request.template_arguments, ensure_ascii=False)
        if request.template_arguments
        else "",
    )


def _messages(request: EvolutionRequest, instruction: str) -> list[pb.GenerateRequest.Message]:
    return [message_to_pb(message) for message in with_instruction(request.messages, instruction)]


def _raw_prompt(request: EvolutionRequest) -> pb.GenerateRequest.RawPrompt:
    if request.raw_prompt and request.raw_prompt.token_ids:
        return pb.GenerateRequest.RawPrompt(token_ids=request.raw_prompt.token_ids)
    return pb.GenerateRequest.RawPrompt(text=request.messages[0].content)


def _format_to_pb(wanted: ResponseFormat) -> pb.GenerateRequest.Format:
    return pb.GenerateRequest.Format(kind=_KINDS[wanted.kind], definition=wanted.definition)


def _from_pb(result: pb.GenerateResult, effect: Generate, called: Called) -> Generated:
    return Generated(
        cycle=effect.cycle,
        round=effect.round,
        state=effect.state,
        token_ids=tuple(result.token_ids),
        text=result.text,
        scored_text=result.lookahead_text,
        finish=_FINISH[result.finish_reason],
        generated_tokens=result.usage.generated_tokens,
        prompt_tokens=result.usage.prompt_tokens,
        cached_tokens=result.usage.cached_tokens,
        queued_seconds=result.queue_seconds if result.HasField("queue_seconds") else None,
        called=called,
        logprobs=tuple(map(logprobs_from_pb, result.logprobs)),
    )
