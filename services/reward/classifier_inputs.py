"""A conversation and its answer as the token ids that a sequence classifier was trained on."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from services.reward.scorer import ScoreItem
from services.reward.segments import Frame, frame_of, literal_text
from services.reward.specs import TextSpec
from shared.errors import Unsupported
from shared.records.evolution import Message
from shared.text.chat_tokenizer import ChatTokenizer
from shared.text.template import TemplateTraits


@dataclass(frozen=True)
class Encoded:
    """Token ids, and which segment each belongs to where the model takes that."""

    token_ids: tuple[int, ...]
    type_ids: tuple[int, ...] | None = None


class ChatFormat(Protocol):
    """Encodes in at most `limit` tokens.

    Where a conversation does not fit, whole turns go first, the oldest before all; the system text, the last user turn
    and the answer stay. Only where those do not fit are tokens cut, behind what the tokenizer puts first (BOS, CLS).
    The text of a control token stays text. `truncation` says this in words; `template` is None for two segments.
    """

    limit: int
    truncation: str
    template: TemplateTraits | None

    def encode(self, item: ScoreItem) -> Encoded:
        """Raises InvalidRequest where the chat template refuses the conversation."""


def chat_format(
    tokenizer: Any, spec: TextSpec, limit: int, *, vocabulary: int | None = None, token_types: bool = False
) -> ChatFormat:
    """The format of a component. Ids from `vocabulary` on have no embedding; `token_types` says whether the model takes
    the numbers of segments.

    Raises:
        Unsupported: the tokenizer has no chat template that can be used, and `segments` is 1.
    """
    if spec.segments == 2:
        return SegmentFormat(tokenizer, limit, spec.system == "drop", token_types)
    if not tokenizer.chat_template:
        raise Unsupported(
            "the tokenizer has no chat template: add one to it, or set segments: 2 where the model reads question and "
            "answer as two segments",
            field="segments",
        )
    arguments = spec.chat_template_arguments
    chat = ChatTokenizer(tokenizer, arguments=arguments, system=spec.system, vocabulary=vocabulary)
    return TemplateFormat(tokenizer, chat, limit)


class TemplateFormat:
    """One segment, by the tokenizer's own chat template."""

    def __init__(self, tokenizer: Any, chat: ChatTokenizer, limit: int) -> None:
        self.limit = limit
        self.truncation = "oldest turns first, then the beginning behind BOS or CLS"
        self.template: TemplateTraits | None = chat.template
        self._chat = chat
        self._frame = frame_of(tokenizer) if tokenizer.cls_token_id is not None else Frame()
        self._first = {tokenizer.bos_token_id, tokenizer.cls_token_id} - {None}

    def encode(self, item: ScoreItem) -> Encoded:
        turns = _shortened(item.conversation.messages)

        def ids(dropped: int) -> tuple[int, ...]:
            return self._ids((*turns[dropped], Message("assistant", item.text)), item.partial)

        whole = ids(0)
        if len(whole) > self.limit and len(turns) > 1:
            fitting = bisect_left(range(len(turns)), True, lo=1, key=lambda drop: len(ids(drop)) <= self.limit)
            whole = ids(min(fitting, len(turns) - 1))
        return Encoded(self._cut(whole))

    def _ids(self, messages: Sequence[Message], partial: bool) -> tuple[int, ...]:
        """The template's ids; an encoder whose template does not begin with its CLS gets what its tokenizer adds."""
        ids = self._chat.encode_chat(messages, answered=True, open=partial)
        frame = self._frame
        if not frame.before or ids[: len(frame.before)] == frame.before:
            return ids
        return (*frame.before, *ids, *frame.after)

    def _cut(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        if len(ids) <= self.limit:
            return ids
        kept = next((index for index, token in enumerate(ids) if token not in self._first), 0)
        return ids[:kept] + ids[len(ids) - (self.limit - kept) :]


class SegmentFormat:
    """Two segments: what was said so far, without roles, and the answer, as the tokenizer itself joins them.

    Where both do not fit, each loses its beginning, the answer only what exceeds half of the room.
    """

    def __init__(self, tokenizer: Any, limit: int, drop_system: bool, token_types: bool) -> None:
        self.limit = limit
        self.truncation = "oldest turns first, then the beginnings of question and answer"
        self.template: TemplateTraits | None = None
        self._text = literal_text(tokenizer)
        self._frame = frame_of(tokenizer, pair=True)
        self._drop_system = drop_system
        self._token_types = token_types

    def encode(self, item: ScoreItem) -> Encoded:
        turns = _shortened([m for m in item.conversation.messages if m.role != "system" or not self._drop_system])
        answer = tuple(self._text.encode_text(item.text))
        room = self.limit - self._frame.added
        question: tuple[int, ...] = ()
        for kept in turns:
            question = tuple(self._text.encode_text("\n\n".join(message.content for message in kept)))
            if len(question) + len(answer) <= room:
                break
        question = _end(question, max(room - len(answer), room // 2))
        answer = _end(answer, room - len(question))
        ids, types = self._frame.join(question, answer)
        return Encoded(ids, types if self._token_types else None)


def _end(ids: tuple[int, ...], length: int) -> tuple[int, ...]:
    return ids[max(0, len(ids) - length) :]


def _shortened(messages: Sequence[Message]) -> list[tuple[Message, ...]]:
    """The conversation, then without its oldest turn, and so on until system text and last user turn are left."""
    system = tuple(message for message in messages if message.role == "system")
    said = [message for message in messages if message.role != "system"]
    starts = [index for index, message in enumerate(said) if index == 0 or message.role == "user"]
    return [tuple(messages), *((*system, *said[start:]) for start in starts[1:])]
