"""The requests and responses of the reward servers that are known, each as its server documents it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel, TypeAdapter, ValidationError

from services.reward.registry import HttpSpec
from shared.errors import Internal, Unsupported
from shared.records.evolution import Message

TokenIds = tuple[int, ...]
TextPair = tuple[str, str]


@dataclass(frozen=True)
class Chat:
    """A conversation, its answer last; a `partial` one may go on."""

    messages: tuple[Message, ...]
    partial: bool


ServerInput = TokenIds | str | TextPair | Chat
"""What is scored: token ids or text rendered here, question and answer, or a conversation that the server renders."""


class ServerApi(Protocol):
    """One kind of server; `path` is where it scores, `batched` whether one request may hold several inputs."""

    path: str
    batched: bool

    def body(self, inputs: Sequence[ServerInput], salt: str) -> Mapping[str, Any]: ...

    def scores(self, response: bytes, inputs: int) -> list[float]:
        """One score an input, in order; raises Internal where the response has another form, and Unsupported for a
        wrong `output`."""


class _Probabilities(BaseModel):
    index: int
    probs: list[float]


class _Classified(BaseModel):
    data: list[_Probabilities]


class _Pooled(BaseModel):
    index: int
    data: list[float] | list[list[float]]


class _PooledAll(BaseModel):
    data: list[_Pooled]


class _Label(BaseModel):
    label: str
    score: float


class _Rewards(BaseModel):
    rewards: list[float] | list[list[float]]


class VllmApi:
    """vLLM's `/classify` and `/pooling`, without activation. A token classifier's last token counts."""

    def __init__(self, spec: HttpSpec) -> None:
        self._spec = spec
        self._pooling = spec.api == "vllm-pooling"
        self.path = "/pooling" if self._pooling else "/classify"
        # A conversation that vLLM renders travels alone.
        self.batched = spec.tokenizer is not None

    def body(self, inputs: Sequence[ServerInput], salt: str) -> Mapping[str, Any]:
        body: dict[str, Any] = {"use_activation": False}
        if self._spec.model:
            body["model"] = self._spec.model
        if salt:
            body["cache_salt"] = salt
        if not isinstance(inputs[0], Chat):
            return body | {"input": [list(each) for each in inputs if isinstance(each, tuple)]}
        (chat,) = inputs
        assert isinstance(chat, Chat)
        body["messages"] = [{"role": message.role, "content": message.content} for message in chat.messages]
        body["add_generation_prompt"] = False
        body["continue_final_message"] = chat.partial
        if self._spec.chat_template_arguments:
            body["chat_template_kwargs"] = dict(self._spec.chat_template_arguments)
        return body

    def scores(self, response: bytes, inputs: int) -> list[float]:
        if self._pooling:
            pooled = _read(_PooledAll, response, '{"data": [{"index": 0, "data": [0.5]}]}').data
            found = {each.index: _last(each.data) for each in pooled}
        else:
            classified = _read(_Classified, response, '{"data": [{"index": 0, "probs": [0.5]}]}').data
            found = {each.index: each.probs for each in classified}
        return [_chosen(found.get(index, []), self._spec.output) for index in range(inputs)]


class TeiApi:
    """text-embeddings-inference's `/predict`, raw scores; it sorts them, so that outputs are known by their names
    only."""

    path = "/predict"
    batched = True

    def __init__(self, spec: HttpSpec) -> None:
        self._output = spec.output

    def body(self, inputs: Sequence[ServerInput], salt: str) -> Mapping[str, Any]:
        texts = [[each] if isinstance(each, str) else list(each) for each in inputs if not isinstance(each, Chat)]
        return {"inputs": texts, "raw_scores": True, "truncate": True}

    def scores(self, response: bytes, inputs: int) -> list[float]:
        rows = _read(list[list[_Label]], response, '[[{"label": "LABEL_0", "score": 0.5}]]')
        return [self._score({label.label: label.score for label in row}) for row in rows]

    def _score(self, row: Mapping[str, float]) -> float:
        if self._output is None:
            return _chosen(list(row.values()), None)
        if self._output not in row:
            raise Unsupported(f"the reward server has no output {self._output!r}", field="output")
        return row[str(self._output)]


class OpenRlhfApi:
    """OpenRLHF's `/get_reward`, which takes rendered text."""

    path = "/get_reward"
    batched = True

    def __init__(self, spec: HttpSpec) -> None:
        self._output = spec.output

    def body(self, inputs: Sequence[ServerInput], salt: str) -> Mapping[str, Any]:
        return {"query": list(inputs)}

    def scores(self, response: bytes, inputs: int) -> list[float]:
        rewards = _read(_Rewards, response, '{"rewards": [0.5]}').rewards
        return [_chosen(each if isinstance(each, list) else [each], self._output) for each in rewards]


def api_of(spec: HttpSpec) -> ServerApi:
    """The kind of server that a component names."""
    match spec.api:
        case "vllm-classify" | "vllm-pooling":
            return VllmApi(spec)
        case "tei-predict":
            return TeiApi(spec)
        case "openrlhf":
            return OpenRlhfApi(spec)


def _read(shape: Any, response: bytes, expected: str) -> Any:
    try:
        return TypeAdapter(shape).validate_json(response)
    except ValidationError:
        raise Internal(f"the reward server's answer has another form than api says, such as {expected}") from None


def _last(data: list[float] | list[list[float]]) -> list[float]:
    """A sequence's outputs, those of its last token where there are some for each."""
    rows = [each for each in data if isinstance(each, list)]
    return rows[-1] if rows else [each for each in data if isinstance(each, float)]


def _chosen(outputs: Sequence[float], output: int | str | None) -> float:
    if not outputs:
        raise Internal("the reward server's answer lacks a score")
    if output is None and len(outputs) > 1:
        raise Unsupported(
            f"the reward server gives {len(outputs)} outputs: name the one that is the reward by output",
            field="output",
        )
    index = output if isinstance(output, int) else 0
    if index >= len(outputs):
        raise Unsupported(f"the reward server gives {len(outputs)} outputs, none of number {index}", field="output")
    return outputs[index]
