"""The gRPC edge: parses a call, runs the generator, formats its results."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import cast

import grpc

from services.generation.generator import SequenceGenerator
from services.generation.messages import (
    GenerateRequest,
    RawPrompt,
    SamplingOptions,
    Sequence,
    SequenceFinish,
    SequenceResult,
)
from shared.errors import InvalidRequest
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.evolution import Message, Role
from shared.records.formats import FormatKind, ResponseFormat
from shared.records.limits import MAX_TEMPLATE_ARGUMENTS
from shared.records.logprobs import TokenLogprobs, bytes_of
from shared.records.template_inputs import TemplateInputs
from shared.records.tools import Tool, ToolCall

_FINISH: dict[SequenceFinish, pb.FinishReason] = {
    "length": pb.FINISH_REASON_LENGTH,
    "stop": pb.FINISH_REASON_STOP,
    "context": pb.FINISH_REASON_CONTEXT,
}

_KINDS: dict[int, FormatKind] = {
    pb.GenerateRequest.Format.KIND_JSON_OBJECT: "json_object",
    pb.GenerateRequest.Format.KIND_JSON_SCHEMA: "json_schema",
    pb.GenerateRequest.Format.KIND_REGEX: "regex",
    pb.GenerateRequest.Format.KIND_CHOICE: "choice",
    pb.GenerateRequest.Format.KIND_GRAMMAR: "grammar",
}


class GenerationServicer(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]  # generated code has no types
    def __init__(self, generator: SequenceGenerator) -> None:
        self._generator = generator

    async def Generate(  # noqa: N802  # the wire's name
        self,
        request: pb.GenerateRequest,
        context: grpc.aio.ServicerContext[pb.GenerateRequest, pb.GenerateResponse],
    ) -> AsyncIterator[pb.GenerateResponse]:
        async with aclosing(self._generator.generate(_request(request))) as generated:
            async for results in generated:
                yield pb.GenerateResponse(results=map(_result, results))

    async def GetModel(  # noqa: N802  # the wire's name
        self,
        request: pb.GetModelRequest,
        context: grpc.aio.ServicerContext[pb.GetModelRequest, pb.GetModelResponse],
    ) -> pb.GetModelResponse:
        info = self._generator.info
        return pb.GetModelResponse(
            model=info.model,
            engine=info.engine,
            context_length=info.context_length,
            structured_output=info.structured_output,
            continues_formats=info.continues_formats,
            tools=info.tools,
            logprobs=info.logprobs,
            template_variables=sorted(info.template_variables),
        )

    async def Decode(  # noqa: N802  # the wire's name
        self,
        request: pb.DecodeRequest,
        context: grpc.aio.ServicerContext[pb.DecodeRequest, pb.DecodeResponse],
    ) -> pb.DecodeResponse:
        return pb.DecodeResponse(text=await self._generator.text_of(tuple(request.token_ids)))


def _request(request: pb.GenerateRequest) -> GenerateRequest:
    return GenerateRequest(
        sequences=tuple(_sequence(sequence) for sequence in request.sequences),
        sampling=_sampling(request.sampling),
        cache_salt=request.cache_salt,
        inputs=TemplateInputs(
            request.now,
            tuple(Tool(tool.name, tool.description, tool.parameters, tool.strict) for tool in request.tools),
            _arguments(request.template_arguments),
        ),
        must_call=request.must_call,
        tool_name=request.tool_name,
        parallel_calls=request.parallel_calls,
    )


def _arguments(text: str) -> dict[str, object]:
    try:
        arguments = json.loads(text or "{}")
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict) or len(text) > MAX_TEMPLATE_ARGUMENTS:
        raise InvalidRequest(
            f"template arguments are a JSON object of at most {MAX_TEMPLATE_ARGUMENTS} characters",
            field="template_arguments",
        )
    return arguments


def _sampling(sampling: pb.GenerateRequest.Sampling) -> SamplingOptions:
    return SamplingOptions(
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=sampling.top_k,
        stop=tuple(sampling.stop),
        format=_format(sampling),
        logprobs=sampling.logprobs if sampling.HasField("logprobs") else None,
        presence_penalty=sampling.presence_penalty,
        frequency_penalty=sampling.frequency_penalty,
        repetition_penalty=sampling.repetition_penalty or 1.0,
        logit_bias=dict(sampling.logit_bias),
        min_p=sampling.min_p,
        ignore_eos=sampling.ignore_eos,
    )


def _format(sampling: pb.GenerateRequest.Sampling) -> ResponseFormat | None:
    if sampling.HasField("format"):
        kind = _KINDS.get(sampling.format.kind)
        if kind is None:
            raise InvalidRequest("a format has a kind", field="sampling.format.kind")
        return ResponseFormat(kind, sampling.format.definition)
    return ResponseFormat("json_schema", sampling.json_schema) if sampling.json_schema else None


def _sequence(sequence: pb.GenerateRequest.Sequence) -> Sequence:
    return Sequence(
        id=sequence.id,
        messages=tuple(map(_message, sequence.messages)),
        response_token_ids=tuple(sequence.response_token_ids),
        max_new_tokens=sequence.max_new_tokens,
        lookahead_tokens=sequence.lookahead_tokens,
        seed=sequence.seed if sequence.HasField("seed") else None,
        to_be_continued=sequence.to_be_continued,
        raw_prompt=RawPrompt(sequence.raw_prompt.text, tuple(sequence.raw_prompt.token_ids))
        if sequence.HasField("raw_prompt")
        else None,
    )


def _message(message: pb.GenerateRequest.Message) -> Message:
    calls = tuple(ToolCall(call.name, call.arguments, call.id) for call in message.tool_calls)
    return Message(cast(Role, message.role), message.content, calls, message.tool_call_id)


def _result(result: SequenceResult) -> pb.GenerateResult:
    return pb.GenerateResult(
        id=result.id,
        token_ids=result.token_ids,
        text=result.text,
        lookahead_text=result.lookahead_text,
        finish_reason=_FINISH[result.finish],
        usage=pb.GenerateResult.Usage(
            prompt_tokens=result.usage.prompt_tokens,
            cached_tokens=result.usage.cached_tokens,
            generated_tokens=result.usage.generated_tokens,
        ),
        seconds=result.seconds,
        queue_seconds=result.queue_seconds,
        tool_calls=[pb.ToolCall(name=call.name, arguments=call.arguments) for call in result.tool_calls],
        content=result.content,
        calling=result.calling,
        logprobs=map(_logprobs, result.logprobs),
    )


def _logprobs(each: TokenLogprobs) -> pb.TokenLogprobs:
    chosen = _token(each.token, each.logprob, each.special)
    return pb.TokenLogprobs(chosen=chosen, top=[_token(*one) for one in each.top])


def _token(token: str, logprob: float, special: bool) -> pb.TokenLogprobs.Token:
    return pb.TokenLogprobs.Token(text=bytes_of(token), logprob=logprob, special=special)
