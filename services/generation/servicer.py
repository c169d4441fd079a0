"""The gRPC edge: parses a call, runs the generator, formats its results."""

from __future__ import annotations  # the stubs of grpc are generic, its classes are not

import math
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing

import grpc

from services.generation.generator import SequenceGenerator
from services.generation.messages import SequenceFinish, SequenceResult
from services.generation.parsing import request_from_pb
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.records.limits import MAX_MESSAGE_BYTES
from shared.records.logprobs import TokenLogprobs, bytes_of

_FINISH: dict[SequenceFinish, pb.FinishReason] = {
    "length": pb.FINISH_REASON_LENGTH,
    "stop": pb.FINISH_REASON_STOP,
    "context": pb.FINISH_REASON_CONTEXT,
}
_LARGE_BYTES = MAX_MESSAGE_BYTES // 8


class GenerationServicer(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]  # generated code has no types
    def __init__(self, generator: SequenceGenerator) -> None:
        self._generator = generator

    async def Generate(  # noqa: N802  # the wire's name
        self,
        request: pb.GenerateRequest,
        context: grpc.aio.ServicerContext[pb.GenerateRequest, pb.GenerateResponse],
    ) -> AsyncIterator[pb.GenerateResponse]:
        certain = request.sampling.self_certainty
        async with aclosing(self._generator.generate(request_from_pb(request))) as generated:
            async for results in generated:
                for response in _responses(results, certain):
                    yield response

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
            lacks=info.lacks,
            reasoning_open=info.reasoning.open if info.reasoning else "",
            reasoning_close=info.reasoning.close if info.reasoning else "",
        )

    async def Decode(  # noqa: N802  # the wire's name
        self,
        request: pb.DecodeRequest,
        context: grpc.aio.ServicerContext[pb.DecodeRequest, pb.DecodeResponse],
    ) -> pb.DecodeResponse:
        return pb.DecodeResponse(text=await self._generator.text_of(tuple(request.token_ids)))


def _responses(results: Iterable[SequenceResult], certain: bool) -> Iterator[pb.GenerateResponse]:
    """The results in one response, or in several where they are so large that one might not be sent; with what says how
    `certain` the model was, where the call asked for that."""
    together, size = list[pb.GenerateResult](), 0
    for result in (_result(each, certain) for each in results):
        if together and size + result.ByteSize() > _LARGE_BYTES:
            yield pb.GenerateResponse(results=together)
            together, size = [], 0
        together.append(result)
        size += result.ByteSize()
    yield pb.GenerateResponse(results=together)


def _result(result: SequenceResult, certain: bool) -> pb.GenerateResult:
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
            kept_tokens=result.usage.kept_tokens,
        ),
        seconds=result.seconds,
        queue_seconds=result.queue_seconds,
        tool_calls=[pb.ToolCall(name=call.name, arguments=call.arguments) for call in result.tool_calls],
        content=result.content,
        calling=result.calling,
        logprobs=map(_logprobs, result.logprobs),
        partial=result.partial,
        served_by=result.served_by,
        reasoning=result.reasoning,
        reasoning_tokens=result.reasoning_tokens,
        thinking=result.thinking,
        self_certainty=math.fsum(result.certainties) if certain else None,
    )


def _logprobs(each: TokenLogprobs) -> pb.TokenLogprobs:
    chosen = _token(each.token, each.logprob, each.special)
    return pb.TokenLogprobs(chosen=chosen, top=[_token(*one) for one in each.top])


def _token(token: str, logprob: float, special: bool) -> pb.TokenLogprobs.Token:
    return pb.TokenLogprobs.Token(text=bytes_of(token), logprob=logprob, special=special)
