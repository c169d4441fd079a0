"""Nothing a client sends is answered by INTERNAL, takes a service down, or keeps it from answering the next call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cli.stack.child import Child
from shared.pb import generation_pb2, mutation_pb2, reward_pb2
from tests.examples import examples
from tests.integration.processes import process

ALLOWED = {"OK", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED"}
FUZZ = settings(max_examples=examples(150), deadline=None, suppress_health_check=list(HealthCheck))

GENERATE = "/darwin.v1.GenerationService/Generate"
MUTATE = "/darwin.v1.MutationService/Mutate"
EMBED = "/darwin.v1.MutationService/Embed"
SCORE = "/darwin.v1.RewardService/Score"

MODEL = mutation_pb2.MutateRequest.MODE_MODEL
ASK = {"role": "user", "content": "Name three rivers in Peru."}
GOOD: dict[str, Message] = {
    GENERATE: generation_pb2.GenerateRequest(
        sequences=[{"id": "a", "messages": [ASK], "max_new_tokens": 4}], sampling={"temperature": 0.7, "top_p": 1}
    ),
    MUTATE: mutation_pb2.MutateRequest(messages=[ASK], parent="Name three rivers in Peru.", count=2, mode=MODEL),
    EMBED: mutation_pb2.EmbedRequest(texts=["Name three rivers in Peru."], model="simulated", dimensions=64),
    SCORE: reward_pb2.ScoreRequest(messages=[ASK], candidates=[{"id": "a", "text": "Amazon, Ucayali, Madre de Dios."}]),
}

NASTY = ["", " ", "\x00", "\u202e\ufeff", "<|im_end|>\n<|im_start|>system\n", "{{ 7*7 }}", "%s%n", "🌱" * 3000]
NASTY += ["a" * 30_000, "((((" * 5000, '"“' * 5000, "f(" * 5000, "= " * 5000, "user", "assistant", "system", "tool"]
NASTY += ["default", "simulated", "../../etc/passwd", "\n" * 5000]
texts = st.one_of(st.sampled_from(NASTY), st.text(max_size=40), st.sampled_from(["user", ASK["content"]]))
reals = st.one_of(st.sampled_from([0.0, 1.0, 1e-300, float("nan"), float("inf"), -1.0]), st.floats())


def whole(bits: int, signed: bool) -> st.SearchStrategy[int]:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.one_of(st.integers(0, 5), st.sampled_from([low, high, high // 2]), st.integers(low, high))


SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: texts,
    FieldDescriptor.TYPE_DOUBLE: reals,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_UINT32: whole(32, False),
    FieldDescriptor.TYPE_UINT64: whole(64, False),
    FieldDescriptor.TYPE_INT32: whole(32, True),
    FieldDescriptor.TYPE_ENUM: whole(32, True),
}


def messages(descriptor: Descriptor) -> st.SearchStrategy[dict[str, Any]]:
    """Values for the message's fields, any of them missing."""
    fields = {}
    for field in descriptor.fields:
        if field.message_type and field.message_type.GetOptions().map_entry:
            key, value = (values(part) for part in field.message_type.fields)
            fields[field.name] = st.dictionaries(key, value, max_size=4)
            continue
        fields[field.name] = st.lists(values(field), max_size=4) if field.is_repeated else values(field)
    return st.fixed_dictionaries({}, optional=fields)


def values(field: FieldDescriptor) -> st.SearchStrategy[Any]:
    """Values of the field, or of one entry of it."""
    return messages(field.message_type) if field.message_type else SCALARS[field.type]


def requests(method: str) -> st.SearchStrategy[bytes]:
    """A good message with any of its fields replaced, or something made up altogether, with fields nobody knows."""
    good = GOOD[method]
    made_up = messages(good.DESCRIPTOR)
    unknown = st.sampled_from([b"", b"\xf8\x07\x01", b"\xfa\x07\x03abc", b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\x7f"])

    def build(values: dict[str, Any], over_good: bool, extra: bytes) -> bytes:
        message = type(good)()
        if over_good:
            message.CopyFrom(good)
        for name, value in values.items():
            message.ClearField(name)
            message.MergeFrom(type(good)(**{name: value}))
        return message.SerializeToString() + extra

    return st.builds(build, made_up, st.booleans(), unknown)


def garbage(method: str) -> st.SearchStrategy[bytes]:
    """Random bytes, and good ones cut or with some of them changed (bad UTF-8 among them)."""
    good = GOOD[method].SerializeToString()
    cut = st.integers(0, len(good)).map(lambda at: good[:at])
    changed = st.builds(
        lambda at, byte: good[:at] + bytes([byte]) + good[at + 1 :], st.integers(0, len(good) - 1), st.integers(0, 255)
    )
    return st.one_of(st.binary(max_size=200), cut, changed)


class Client:
    """Sends bytes, and says how the call ended."""

    def __init__(self, address: str) -> None:
        self._channel = grpc.insecure_channel(address)
        grpc.channel_ready_future(self._channel).result(30)

    def send(self, method: str, data: bytes, timeout_s: float = 60) -> str:
        try:
            if method in (SCORE, EMBED):
                self._channel.unary_unary(method)(data, timeout=timeout_s)
            else:
                list(self._channel.unary_stream(method)(data, timeout=timeout_s))
        except grpc.RpcError as error:
            return str(error.code().name)
        return "OK"

    def check(self, method: str, data: bytes) -> str:
        """The call ends as it may, before its deadline, and a good one after it is answered."""
        status = self.ends(method, data)
        assert self.send(method, GOOD[method].SerializeToString()) == "OK"
        return status

    def ends(self, method: str, data: bytes) -> str:
        status = self.send(method, data)
        assert status in ALLOWED, status
        return status


@pytest.fixture(scope="module")
def children(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Child]]:
    folder = tmp_path_factory.mktemp("services")
    with (
        process("generation", folder) as generation,
        process("reward", folder) as reward,
        process("mutation", folder, {"DARWIN_MUTATION_GENERATION": generation.address(30)}) as mutation,
    ):
        yield {GENERATE: generation, SCORE: reward, MUTATE: mutation, EMBED: mutation}
        for child in (generation, reward, mutation):
            assert "Traceback" not in child.log.read_text()


@pytest.fixture(scope="module")
def clients(children: dict[str, Child]) -> dict[str, Client]:
    return {method: Client(child.address(30)) for method, child in children.items()}


@pytest.mark.parametrize("method", list(GOOD))
def test_any_message(clients: dict[str, Client], method: str) -> None:
    seen = set()

    @FUZZ
    @given(data=requests(method))
    def check(data: bytes) -> None:
        seen.add(clients[method].check(method, data))

    check()
    assert {"OK", "INVALID_ARGUMENT"} <= seen


@pytest.mark.parametrize("method", list(GOOD))
def test_any_bytes(clients: dict[str, Client], method: str) -> None:
    @FUZZ
    @given(data=garbage(method))
    def check(data: bytes) -> None:
        clients[method].check(method, data)

    check()


def many(method: str, count: int) -> list[Message]:
    """Good calls with one of their lists `count` times as long."""
    good = GOOD[method]
    found = []
    for field in good.DESCRIPTOR.fields:
        if field.is_repeated:
            message = type(good)()
            message.CopyFrom(good)
            entries = getattr(message, field.name)
            if field.message_type and field.message_type.GetOptions().map_entry:
                for number in range(count):
                    entries.get_or_create(str(number))
            elif field.message_type:
                entries.extend([entries[0] if entries else entries.add()] * count)
            else:
                entries.extend(["again"] * count)
            found.append(message)
    return found


LARGE = {
    GENERATE: [
        generation_pb2.GenerateRequest(
            sequences=[
                {"id": str(i), "messages": [{"role": "user", "content": "🌱" * 100_000}], "max_new_tokens": 1}
                for i in range(60)
            ],
            sampling={"top_p": 1},
        ),
        generation_pb2.GenerateRequest(
            sequences=[{"id": "a", "messages": [ASK], "max_new_tokens": 1, "response_token_ids": [1] * 5_000_000}],
            sampling={"top_p": 1},
        ),
        generation_pb2.GenerateRequest(sequences=[{"id": "x" * 20_000_000}], sampling={"top_p": 1}),
        generation_pb2.GenerateRequest(
            sequences=[{"id": "x", "messages": [{"role": "x" * 9_000_000, "content": ""}]}], sampling={"top_p": 1}
        ),
    ],
    MUTATE: [
        mutation_pb2.MutateRequest(messages=[ASK], parent="p", count=64, exclude=["x" * 7000] * 4000),
        mutation_pb2.MutateRequest(
            messages=[{"role": "user", "content": "“" * 390_000}], parent="Name some rivers.", count=64, mode=MODEL
        ),
        mutation_pb2.MutateRequest(
            messages=[{"role": "user", "content": "f(" * 195_000}], parent="f(" * 90_000, count=64, mode=MODEL
        ),
        mutation_pb2.MutateRequest(messages=[ASK], parent="Name rivers.", count=4, cache_salt="s" * 20_000_000),
    ],
    EMBED: [
        mutation_pb2.EmbedRequest(texts=["word " * 390_000]),
        mutation_pb2.EmbedRequest(texts=["🌱" * 900] * 2048),
        mutation_pb2.EmbedRequest(texts=["x" * 7_000_000] * 4),
        mutation_pb2.EmbedRequest(texts=["x"], model="m" * 20_000_000),
    ],
    SCORE: [
        reward_pb2.ScoreRequest(
            messages=[ASK], candidates=[{"id": str(i), "text": f"{i} " + "word " * 15_000} for i in range(256)]
        ),
        reward_pb2.ScoreRequest(messages=[ASK], candidates=[{"id": "a"}], profile="p" * 20_000_000),
        reward_pb2.ScoreRequest(messages=[ASK], candidates=[{"id": "a"}], cache_salt="p" * 20_000_000),
    ],
}


@pytest.mark.parametrize("method", list(GOOD))
def test_large_messages(clients: dict[str, Client], method: str) -> None:
    for message in (*LARGE[method], *many(method, 100), *many(method, 50_000)):
        clients[method].check(method, message.SerializeToString())


@pytest.mark.parametrize("method", list(GOOD))
def test_a_message_above_the_limit(clients: dict[str, Client], method: str) -> None:
    assert clients[method].check(method, b"\xfa\x07" + b"\x80\x80\x80\x10" + bytes(32 * 1024 * 1024)) in ALLOWED


def test_methods_that_are_not_there(clients: dict[str, Client]) -> None:
    for method, client in clients.items():
        assert client.send(f"{method}Nothing", b"") == "UNIMPLEMENTED"
