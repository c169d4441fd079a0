"""What judges are asked, how their first token is read, and what each of their failures is called."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from math import log
from typing import Any

import pytest

from services.reward import identity
from services.reward.judges import choice
from services.reward.judges.choice import start_and_try
from services.reward.judges.endpoint import EndpointJudge
from services.reward.judges.judge import chance_of_yes
from services.reward.judges.service import ServiceJudge
from services.reward.runtime import Runtime
from shared.errors import Internal, InvalidRequest, Overloaded, Unavailable, Unsupported
from shared.pb import generation_pb2 as pb
from shared.pb import generation_pb2_grpc
from shared.rpc.server import Server
from shared.rpc.tls import PLAIN
from tests.reward_server import Faked, serve
from tests.unit.reward.judging import rubric

QUESTIONS = ["Is it? yes", "Is it? no", "Is it? " + "long " * 20]


def test_all_spellings_count_and_nothing_else() -> None:
    tokens = {"Yes": 0.3, " yes": 0.1, "**YES": 0.1, "ĠNo": 0.1, "▁no": 0.05, "Yesterday": 0.2, "not": 0.1}
    assert chance_of_yes((token, log(chance)) for token, chance in tokens.items()) == pytest.approx(0.5 / 0.65)
    assert chance_of_yes([("Maybe", -0.1), ("", -2.0)]) is None
    assert chance_of_yes([("yes", -30.0)]) == 1.0


@dataclass
class Generation(generation_pb2_grpc.GenerationServiceServicer):  # type: ignore[misc]  # generated code has no types
    """Says yes to questions that end so; those of more than 100 characters are beyond its context."""

    logprobs: bool = True
    seen: list[pb.GenerateRequest] = field(default_factory=list)

    async def GetModel(self, request: Any, context: Any) -> pb.GetModelResponse:  # noqa: N802  # the wire's name
        return pb.GetModelResponse(model="ours", engine="vllm", logprobs=self.logprobs)

    async def Generate(  # noqa: N802  # the wire's name
        self, request: pb.GenerateRequest, context: Any
    ) -> AsyncIterator[pb.GenerateResponse]:
        self.seen.append(request)
        for sequence in reversed(request.sequences):
            yield pb.GenerateResponse(results=[self._result(sequence)])

    def _result(self, sequence: pb.GenerateRequest.Sequence) -> pb.GenerateResult:
        said = sequence.messages[0].content
        if len(said) > 100:
            return pb.GenerateResult(id=sequence.id, finish_reason=pb.FINISH_REASON_CONTEXT)
        yes = 0.8 if said.endswith("yes") else 0.1
        top = [(b"Yes", yes / 2), (b" yes", yes / 2), (b"No", 1 - yes), (b"\xf0\x9f", 0.0001)]
        tokens = [pb.TokenLogprobs.Token(text=text, logprob=log(chance)) for text, chance in top]
        usage = pb.GenerateResult.Usage(prompt_tokens=len(said), cached_tokens=4, generated_tokens=1)
        logprobs = [pb.TokenLogprobs(chosen=tokens[0], top=tokens)]
        return pb.GenerateResult(id=sequence.id, usage=usage, logprobs=logprobs, finish_reason=pb.FINISH_REASON_CONTEXT)


@asynccontextmanager
async def generation(servicer: Generation) -> AsyncIterator[str]:
    server = Server([])
    server.register(generation_pb2_grpc.add_GenerationServiceServicer_to_server, servicer)
    server.set_ready()
    yield await server.start("127.0.0.1:0")
    await server.stop(0)


async def test_the_generation_service_judges_by_one_token_of_each_question() -> None:
    servicer = Generation()
    async with generation(servicer) as address:
        spec = rubric("It is.", chat_template_arguments={"enable_thinking": False}, alternatives=7)
        judge = ServiceJudge(spec, Runtime(generation=address), PLAIN)
        await judge.start()
        yes, no, long = await judge.ask(QUESTIONS, "a tenant's", "key")
        many = await judge.ask(["Is it? yes"] * 300, "", "key")
        await judge.close()
        assert await asyncio.to_thread(identity.model_of_generation, address) == "ours vllm"
    assert yes is not None
    assert no is not None
    assert (yes.yes, no.yes, long) == (pytest.approx(0.8), pytest.approx(0.1), None)
    assert (yes.computed_tokens, yes.cached_tokens) == (len(QUESTIONS[0]) - 4, 4)
    assert [answer is not None and answer.yes for answer in many] == pytest.approx([0.8] * 300)
    first, *others = servicer.seen
    assert (first.sampling.temperature, first.sampling.logprobs, first.cache_salt) == (0, 7, "a tenant's")
    assert {sequence.max_new_tokens for sequence in first.sequences} == {1}
    assert (first.reasoning_effort, first.template_arguments) == ("none", '{"enable_thinking": false}')
    assert [len(request.sequences) for request in others] == [256, 44]


async def test_an_engine_without_log_probabilities_is_refused_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async with generation(Generation(logprobs=False)) as address:
        judge = ServiceJudge(rubric("It is."), Runtime(generation=address), PLAIN)
        with pytest.raises(Unsupported, match="no log probabilities"):
            await start_and_try(judge, QUESTIONS[:1])
        await judge.close()
    monkeypatch.setattr(choice, "_WAITS_S", 0.0)
    absent = ServiceJudge(rubric("It is.", timeout_s=0.1), Runtime(generation=address), PLAIN)
    with pytest.raises(Unavailable, match="DARWIN_REWARD_GENERATION"):
        await start_and_try(absent, QUESTIONS[:1])
    await absent.close()
    with pytest.raises(Unavailable, match="cannot be reached"):
        identity.model_of_generation(address)


@pytest.fixture
def server() -> Iterator[Faked]:
    with serve(lambda question: [0.8 if question.endswith("yes") else 0.1], key="KEY") as faked:
        yield faked


def judge_at(server: Faked, **fields: Any) -> EndpointJudge:
    spec = rubric("It is.", url=f"{server.url}/v1", model="theirs", key_env="JUDGE", **fields)
    return EndpointJudge(spec, Runtime(), {"JUDGE": "KEY"})


async def test_an_endpoint_judges_by_one_token_of_each_question(server: Faked) -> None:
    judge = judge_at(server, chat_template_arguments={"enable_thinking": False}, alternatives=5)
    await judge.start()
    answers = await judge.ask(QUESTIONS[:2], "a tenant's", "key")
    said = "</s> [INST] <|im_end|> 2 < 3 > 1 [1]"
    await judge.ask([said], "another's", "key")
    await judge.close()
    # Of yes 0.8 and no 0.8 are spelled as one of the words.
    assert [answer.yes for answer in answers if answer] == pytest.approx([0.8, 0.1])
    assert [answer.computed_tokens for answer in answers if answer] == [len(question) for question in QUESTIONS[:2]]
    (path, asked), (_, last) = server.seen[1], server.seen[-1]
    assert path == "/v1/chat/completions"
    assert (asked["model"], asked["top_logprobs"], asked["temperature"]) == ("theirs", 5, 0)
    assert asked["chat_template_kwargs"] == {"enable_thinking": False}
    assert last["cache_salt"] not in ("another's", asked["cache_salt"])
    shown = last["messages"][0]["content"]
    assert not any(control in shown for control in ("</s>", "[INST]", "<|im_end|>"))
    assert shown.replace("\u2060", "") == said


async def test_an_endpoint_that_takes_no_salt_is_asked_without(server: Faked) -> None:
    judge = judge_at(server)
    server.status, server.raw = 400, b"{}"
    with pytest.raises(InvalidRequest, match="max_characters"):
        await judge.start()
    assert ["cache_salt" in body for _, body in server.seen] == [True, False]
    server.status = server.raw = None
    await judge.start()
    await judge.ask(QUESTIONS[:1], "a tenant's", "key")
    assert "cache_salt" not in server.seen[-1][1]
    await judge.close()


@pytest.mark.parametrize(
    ("status", "raw", "kind", "says"),
    [
        (429, None, Overloaded, "full"),
        (503, None, Unavailable, "come back"),
        (401, None, Internal, "JUDGE"),
        (None, b'{"choices": []}', Internal, "no chat completion"),
        (None, b'{"choices": [{"logprobs": null}]}', Unsupported, "no log probabilities"),
    ],
)
async def test_each_failure_of_an_endpoint_has_its_name(
    server: Faked, status: int | None, raw: bytes | None, kind: type[Exception], says: str
) -> None:
    judge = judge_at(server)
    await judge.start()
    server.status, server.raw = status, raw
    with pytest.raises(kind, match=says):
        await judge.ask(QUESTIONS[:1], "", "key")
    await judge.close()
