"""The generation service's language model as a judge."""

import json
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from typing import Any

import grpc

from services.reward.judges.judge import Answer, chance_of_yes
from services.reward.runtime import Runtime
from services.reward.specs import JudgeSpec
from shared.errors import DarwinError, Internal, Unavailable, Unsupported
from shared.pb import generation_pb2 as pb
from shared.pb.generation_pb2_grpc import GenerationServiceStub
from shared.records.limits import MAX_SEQUENCES
from shared.rpc.balancing import Replicas
from shared.rpc.channel import from_rpc_error
from shared.rpc.metrics import calling
from shared.rpc.tls import Transport

_CHARACTERS_AT_ONCE = 4_000_000
"""Of the questions of one call, which gRPC's limit of a message holds whatever their characters are."""


class ServiceJudge:
    """Asks the service at `runtime.generation`; the questions of a call travel together, so that they are batched."""

    def __init__(self, spec: JudgeSpec, runtime: Runtime, transport: Transport | None = None) -> None:
        self._spec = spec
        self._address = runtime.generation
        self._transport = transport
        self._replicas: Replicas[Any] | None = None

    async def start(self) -> None:
        if self._replicas is None:
            replicas: Replicas[Any] = Replicas(
                "generation", self._address, GenerationServiceStub, self._transport or Transport()
            )
            self._replicas = await replicas.__aenter__()
        try:
            model = await self._replicas.call(_get_model, 1, self._spec.timeout_s)
        except (grpc.RpcError, DarwinError) as error:
            why = from_rpc_error(error).message if isinstance(error, grpc.RpcError) else error.message
            raise Unavailable(
                f"the generation service at {self._address}, whose model is to judge, cannot be reached ({why}): set "
                "DARWIN_REWARD_GENERATION, or give the component a url"
            ) from error
        if not model.logprobs:
            raise Unsupported(
                f"the {model.engine} engine of the generation service gives no log probabilities, by which its model "
                "would judge: give the component the url of an endpoint that does",
                field="url",
            )

    async def close(self) -> None:
        if self._replicas is not None:
            await self._replicas.__aexit__()
            self._replicas = None

    async def ask(self, questions: Sequence[str], cache_salt: str, key: str) -> list[Answer | None]:
        found: dict[int, Answer | None] = {}
        for group in _groups(questions):
            found |= await self._asked({index: questions[index] for index in group}, cache_salt, key)
        return [found[index] for index in range(len(questions))]

    async def _asked(self, waiting: dict[int, str], cache_salt: str, key: str) -> dict[int, Answer | None]:
        """Answers by index; a question is taken out of `waiting` once it is answered."""
        assert self._replicas is not None
        found: dict[int, Answer | None] = {}
        sampling = pb.GenerateRequest.Sampling(temperature=0, top_p=1, logprobs=self._spec.alternatives)
        arguments = json.dumps(dict(self._spec.chat_template_arguments)) if self._spec.chat_template_arguments else ""

        def begin(stub: Any, **options: Any) -> Any:
            request = pb.GenerateRequest(
                sequences=[_sequence(index, question) for index, question in waiting.items()],
                sampling=sampling,
                cache_salt=cache_salt,
                # The first token is the answer, and no thought.
                reasoning_effort="none",
                template_arguments=arguments,
            )
            return stub.Generate(request, **options)

        responses = self._replicas.stream(begin, lambda: len(waiting), self._spec.timeout_s, key)
        try:
            with calling("GenerationService/Generate"):
                async with aclosing(responses):
                    async for response in responses:
                        for result in response.results:
                            index = int(result.id) if result.id.isdigit() else -1
                            if waiting.pop(index, None) is None:
                                raise Internal(f"the generation service returned a sequence {result.id!r} not sent")
                            found[index] = _answer(result)
        except grpc.RpcError as error:
            raise from_rpc_error(error, lambda field: "messages") from error
        if waiting:
            raise Internal(f"the generation service answered {len(found)} questions of {len(found) + len(waiting)}")
        return found


def _groups(questions: Sequence[str]) -> Iterator[list[int]]:
    """Indices of the questions that one call holds."""
    taken, characters = list[int](), 0
    for index, question in enumerate(questions):
        if len(taken) == MAX_SEQUENCES or (taken and characters + len(question) > _CHARACTERS_AT_ONCE):
            yield taken
            taken, characters = [], 0
        taken.append(index)
        characters += len(question)
    yield taken


def _get_model(stub: Any, **options: Any) -> Any:
    return stub.GetModel(pb.GetModelRequest(), **options)


def _sequence(index: int, question: str) -> pb.GenerateRequest.Sequence:
    message = pb.GenerateRequest.Message(role="user", content=question)
    return pb.GenerateRequest.Sequence(id=str(index), messages=[message], max_new_tokens=1)


def _answer(result: pb.GenerateResult) -> Answer | None:
    if not result.usage.generated_tokens and result.finish_reason == pb.FINISH_REASON_CONTEXT:
        return None
    tokens = result.logprobs[0].top if result.logprobs else ()
    yes = chance_of_yes((token.text.decode("utf-8", "replace"), token.logprob) for token in tokens)
    cached = result.usage.cached_tokens
    return Answer(yes, result.usage.prompt_tokens - cached, cached)
